"""What the plans of both trainings share: they are made over a whole corpus, and tell what a training needs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from schemas.tables import SPLITS
from schemas.training_run import Need
from storage.home import Home
from storage.store import translated
from tasks.corpora import open_corpus, verify_corpus
from tasks.training_log import tell_bytes

Plan = TypeVar("Plan")


def plan_over(home: Home, fingerprint: str, make: Callable[[dict[str, list[Path]], Path], Plan]) -> Plan:
    """What `make` makes of the corpus's files by split, and of a folder for temporary files.

    Raises as the training itself would before its first step.
    """
    corpus = open_corpus(home, fingerprint)
    verify_corpus(corpus)
    shards = {split: [Path(home.store.full(f.path)) for f in corpus.files(split)] for split in SPLITS}
    with translated("plan the training", str(home.cache)):
        home.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home.cache, prefix="plan-") as work:
            return make({split: files for split, files in shards.items() if files}, Path(work))


def need_lines(needs: Iterable[Need]) -> Iterator[str]:
    """What a training will take, in lines for the terminal: bytes only."""
    for need in needs:
        if need.unit == "bytes" and need.estimated is not None:
            note = need.note.partition("; measured")[0]
            note = f"  {note}" if note and not need.part.startswith("memory:") else ""
            yield f"  {need.part:<20} {tell_bytes(need.estimated):>10}{note}"
