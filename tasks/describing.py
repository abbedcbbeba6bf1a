"""Describing: what a dataset card tells of a corpus, from its narrow columns and its build's plan."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow.compute as pc

from schemas.errors import StoreError
from schemas.manifest import BuildRecord, TableFile
from storage.datasets import Dataset, read_table
from tasks.shaping import CardFacts
from tasks.shaping.card import UNKNOWN

_COLUMNS = ("source", "category", "language", "phase")
#: Settings that say how the rows were chosen; where things lie, and one's own words, stay at home.
_SECTIONS = {
    "Filter settings": ("blacklist", "slop", "toxicity", "quality"),
    "Duplicates and mixture": ("dedup", "label", "mix"),
}
_PLAIN = re.compile(r"[\w.:+-]{1,40}")


def describe(
    corpus: Dataset, splits: Sequence[str], phase: int | None, record: BuildRecord | None
) -> CardFacts:
    """Counts of the chosen splits (and phase), licenses, settings and fingerprints. Raises StoreError."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("split", *_COLUMNS)}
    phases: dict[int, dict[str, None]] = {}
    for split in splits:
        for file in corpus.files(split):
            served = phase_of(corpus, split, file)
            if phase not in (None, served):
                continue
            phases.setdefault(served, {})[split] = None
            counts["split"][split] += file.rows
            _count(corpus, split, file, counts)
    settings = record.settings if record is not None else {}
    stages = record.stages if record is not None else {"mix": corpus.manifest.fingerprint}
    return CardFacts(
        counts={name: dict(sorted(count.items(), key=_by_count(name))) for name, count in counts.items()},
        phases={served: tuple(found) for served, found in sorted(phases.items())},
        licenses={source: _license(settings, source) for source in sorted(counts["source"])},
        fingerprints={stage: mark for stage, mark in stages.items() if not stage.startswith("train")},
        settings={title: dict(_chosen(settings, families)) for title, families in _SECTIONS.items()},
    )


def phase_of(corpus: Dataset, split: str, file: TableFile) -> int:
    """The phase that a shard serves. Raises StoreError for a shard of several."""
    found = pc.unique(read_table(corpus.store, file, split, ["phase"])["phase"]).to_pylist()
    if len(found) != 1:
        raise StoreError("a shard holds several phases", where=file.path, fix="Build the corpus again.")
    return int(found[0])


def _count(corpus: Dataset, split: str, file: TableFile, counts: Mapping[str, Counter[str]]) -> None:
    table = read_table(corpus.store, file, split, list(_COLUMNS))
    for name in _COLUMNS:
        for entry in pc.value_counts(table[name]).to_pylist():
            counts[name][UNKNOWN if entry["values"] is None else str(entry["values"])] += entry["counts"]


def _by_count(name: str) -> Any:
    """Splits stay in their order, phases go by number, the rest by size."""
    return {"split": lambda item: 0, "phase": lambda item: int(item[0])}.get(
        name, lambda item: (-item[1], item[0])
    )


def _license(settings: Mapping[str, Any], source: str) -> str:
    """The license that a source declares; a build's own exports declare none."""
    declared = (settings.get("sources") or {}).get(source) or {}
    return str(declared.get("license") or UNKNOWN)


def _chosen(settings: Mapping[str, Any], families: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for family in families:
        yield from _plain(family, settings.get(family))


def _plain(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Numbers, switches and names in a tree of settings; no free text and no path."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _plain(f"{name}.{key}", inner)
    elif isinstance(value, bool | int | float) or (isinstance(value, str) and _PLAIN.fullmatch(value)):
        yield name, value
