"""Describing: what a dataset card tells of a corpus, from its narrow columns and its build's plan."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.manifest import BuildRecord
from storage.datasets import Dataset, read_table
from tasks.corpus_shards import CorpusShard, mark_first
from tasks.shaping import CardFacts, PhaseFacts
from tasks.shaping.card import UNKNOWN

_COLUMNS = ("source", "category", "language")
#: Settings that say how the rows were chosen; where things lie, and one's own words, stay at home.
_SECTIONS = {
    "Filter settings": ("blacklist", "slop", "toxicity", "quality"),
    "Duplicates and mixture": ("dedup", "label", "mix"),
}
_PLAIN = re.compile(r"[\w.:+-]{1,40}")


def describe(
    corpus: Dataset, shards: Sequence[CorpusShard], as_read: bool, record: BuildRecord | None
) -> CardFacts:
    """Counts of distinct examples, licenses, settings and fingerprints.

    `as_read`: the rows of one phase stand in the export as training reads them. Raises StoreError.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("split", *_COLUMNS)}
    for shard in shards:
        counts["split"][shard.split] += int(shard.first.sum())
        _count(corpus, shard, counts)
    settings = record.settings if record is not None else {}
    stages = record.stages if record is not None else {"mix": corpus.manifest.fingerprint}
    return CardFacts(
        counts={name: dict(sorted(count.items(), key=_by_count(name))) for name, count in counts.items()},
        phases=_phases(corpus, shards),
        as_read=as_read,
        licenses={source: _license(settings, source) for source in sorted(counts["source"])},
        fingerprints={stage: mark for stage, mark in stages.items() if not stage.startswith("train")},
        settings={title: dict(_chosen(settings, families)) for title, families in _SECTIONS.items()},
    )


def _phases(corpus: Dataset, shards: Sequence[CorpusShard]) -> dict[int, PhaseFacts]:
    """What each phase reads: the splits that it has, its distinct examples, its rows."""
    found = {}
    for phase in sorted({shard.phase for shard in shards}):
        own = [shard for shard in shards if shard.phase == phase]
        first = mark_first(corpus, ((shard.split, shard.file) for shard in own))
        splits = tuple(dict.fromkeys(shard.split for shard in own))
        found[phase] = PhaseFacts(splits, int(first.sum()), len(first))
    return found


def _count(corpus: Dataset, shard: CorpusShard, counts: Mapping[str, Counter[str]]) -> None:
    table = read_table(corpus.store, shard.file, shard.split, list(_COLUMNS)).filter(pa.array(shard.first))
    for name in _COLUMNS:
        for entry in pc.value_counts(table[name]).to_pylist():
            counts[name][UNKNOWN if entry["values"] is None else str(entry["values"])] += entry["counts"]


def _by_count(name: str) -> Any:
    """Splits stay in their order, the rest goes by size."""
    return (lambda item: 0) if name == "split" else (lambda item: (-item[1], item[0]))


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
