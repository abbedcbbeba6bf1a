"""Which windows a training really read, and what that comes to: nothing is claimed that it never saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.training.order import rows_read
from models.training.schedule import Batch
from models.tribal.labels import NOBODY
from models.tribal.preparing import Split
from models.tribal.schedule import PhaseRows


@dataclass(frozen=True)
class Read:
    """Windows (their numbers, each once) and what they come to."""

    windows: Any
    examples: int
    tokens: int
    trained_tokens: int


def windows_read(phase: PhaseRows, batch: Batch, seed: int, steps: int) -> set[int]:
    """Windows of the rows that the first `steps` steps of a phase came to."""
    if not steps:
        return set()
    return {n for row in rows_read(phase.plan, batch, seed, steps) for n in phase.rows[row]}


def sum_up(split: Split, windows: Iterable[int]) -> Read:
    """What these windows come to; the first token of a window carries no loss."""
    chosen = np.array(sorted(windows), np.int64)
    trained = _within(split.documents.learn, split, chosen, skip=1)
    return Read(
        chosen,
        len(np.unique(split.windows[chosen, 0])),
        int(split.lengths[chosen].sum()),
        int(trained.sum()),
    )


def write_seen(split: Split, windows: Sequence[int], path: Path) -> None:
    """Parquet: every example that was read, with its windows, tokens, trained and labelled tokens."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen = np.array(windows, np.int64)
    documents, labelled = split.documents, split.documents.member[split.documents.turn] != NOBODY
    columns = {
        "windows": np.ones(len(chosen), np.int64),
        "tokens": split.lengths[chosen],
        "trained_tokens": _within(documents.learn, split, chosen, skip=1),
        "labelled_tokens": _within(labelled, split, chosen),
    }
    owners, group = np.unique(split.windows[chosen, 0], return_inverse=True)
    summed = {
        name: np.bincount(group, values, len(owners)).astype(np.int64) for name, values in columns.items()
    }
    names = [documents.example_ids[int(owner)] for owner in owners]
    pq.write_table(pa.table({"example_id": names, **summed}), path, compression="zstd")


def _within(marked: Any, split: Split, windows: Any, skip: int = 0) -> Any:
    """How many tokens of each window are marked, but for its first `skip`."""
    sums = np.concatenate([[0], np.cumsum(marked, dtype=np.int64)])
    start, stop = split.windows[windows, 1], split.windows[windows, 2]
    return sums[stop] - sums[np.minimum(start + skip, stop)]
