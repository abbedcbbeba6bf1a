"""Lineage: every example that a training read or measured itself on; and what a card says of where they came from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StoreError
from storage.datasets import Dataset
from tasks.reports.card_parts import CorpusFacts
from tasks.running import Run
from tasks.training_kinds import KINDS

CARD, LINEAGE, PRESET = "README.md", "lineage.parquet", "preset.json"
#: Splits that training looks at: it learns from the first and measures itself on the second.
READ = ("train", "validation")
#: What of an example was learned: the figures of every lineage, and those that a NOVA adds.
LEARNED, LABELLED = ("windows", "trained_tokens"), ("labelled_tokens",)

_FIELDS = (
    pa.field("example_id", pa.string(), nullable=False),
    pa.field("conversation_id", pa.string(), nullable=False),
    pa.field("source", pa.string(), nullable=False),
    pa.field("phase", pa.int32(), nullable=False),
    pa.field("split", pa.string(), nullable=False),
)


def lineage_schema(figures: Sequence[str] = LEARNED) -> pa.Schema:
    """The columns of a lineage; the figures are null where an example was only measured on."""
    return pa.schema([*_FIELDS, *(pa.field(name, pa.int64()) for name in figures)])


def write_lineage(
    corpus: Dataset,
    run: Run,
    path: Path,
    seen: pa.Table,
    by_phase: bool,
    figures: Sequence[str] = LEARNED,
    splits: Sequence[str] = READ,
) -> None:
    """Every example that training read, once (`by_phase`: once in each phase that read it), and every one it measured
    itself on; corpus and build stand in the file's metadata.

    The `figures` say what of it was learned; they are null in the other splits. `seen` is the trainer's own
    account: what was set aside or not reached is not in it, and so not in the lineage.
    """
    told = {b"vatra.corpus": corpus.manifest.fingerprint.encode(), b"vatra.build": run.record.build.encode()}
    schema = lineage_schema(figures).with_metadata(told)
    keys = ["example_id", "phase"] if by_phase else ["example_id"]
    with pq.ParquetWriter(path, schema, compression="zstd") as sink:
        for split in splits:
            written: set[tuple[Any, ...]] = set()
            for part in corpus.scan(split, ["example_id", "conversation_id", "source", "phase"]):
                fresh = _first(part, keys, written)
                rows = fresh.append_column("split", pa.array([split] * fresh.num_rows, pa.string()))
                sink.write_table(
                    _learned(rows, seen if split == "train" else None, keys, figures).cast(schema)
                )


def _first(part: pa.Table, keys: list[str], before: set[tuple[Any, ...]]) -> pa.Table:
    """The rows whose keys did not come before; they are added to those that did."""
    kept = []
    for key in zip(*(part[name].to_pylist() for name in keys), strict=True):
        kept.append(key not in before)
        before.add(key)
    return part.filter(pa.array(kept, pa.bool_()))


def _learned(rows: pa.Table, seen: pa.Table | None, keys: list[str], figures: Sequence[str]) -> pa.Table:
    """The rows that were read, in their order, with what was learned of each."""
    if seen is None:
        for name in figures:
            rows = rows.append_column(name, pa.nulls(rows.num_rows, pa.int64()))
        return rows
    numbered = rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    found = seen.select([*keys, *figures])
    joined = numbered.join(found, keys=keys, join_type="inner", use_threads=False).sort_by("row")
    return joined.select(lineage_schema(figures).names)


def corpus_facts(run: Run, corpus: Dataset, lineage: Path, name: str) -> CorpusFacts:
    """What a card tells of the corpus: the build's plan, what the lineage names, and the corpus's narrow columns."""
    read = pq.read_table(lineage, columns=["example_id", "split"])
    ids = read.filter(pc.equal(read["split"], "train"))["example_id"]
    columns = corpus.column("train", ["example_id", "source", "language"])
    train = _first(columns.filter(pc.is_in(columns["example_id"], ids)), ["example_id"], set())
    return CorpusFacts(
        name=name,
        corpus=corpus.manifest.fingerprint,
        build=run.record.build,
        stages={name: mark for name, mark in run.record.stages.items() if name not in (*_TRAININGS, "mix")},
        sources=_counts(train["source"]),
        licenses=_licenses(run.settings.model_dump(mode="json")),
        languages=_counts(train["language"]),
        filter_settings=_filter_settings(run),
    )


_TRAININGS = tuple(kind.stage for kind in KINDS)


def _filter_settings(run: Run) -> dict[str, Any]:
    """As the card may tell them: of patterns only how many, for they may be private."""
    settings = run.settings
    kept: dict[str, Any] = settings.for_filter().model_dump(mode="json")
    kept["toxicity"]["scorer"] = settings.toxicity.scorer  # the score stage's, which the filter's own lack
    for family, rules in (("blacklist", settings.blacklist), ("slop", settings.slop)):
        kept[family] |= {"builtin": rules.builtin, "patterns": len(rules.patterns), "files": len(rules.files)}
    return kept


def _licenses(settings: dict[str, Any]) -> dict[str, str]:
    """Licences by source, where the settings name them."""
    sources = settings.get("sources") or {}
    items = sources.items() if isinstance(sources, dict) else ((s.get("name"), s) for s in sources)
    return {
        str(name): str(source["license"])
        for name, source in items
        if isinstance(source, dict) and source.get("license")
    }


def _counts(column: Any) -> dict[str, int]:
    """How often each value occurs, the commonest first; unknown ones left out."""
    found: Counter[str] = Counter()
    for item in pc.value_counts(column).to_pylist():
        if item["values"] is not None:
            found[item["values"]] += item["counts"]
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def labelled_tokens(lineage: Path) -> int:
    """Tokens that were read of which it is known who speaks, over a whole lineage of a NOVA."""
    (name,) = LABELLED
    return int(pc.sum(pq.read_table(lineage, columns=[name])[name]).as_py() or 0)


def read_origin(folder: Path) -> tuple[str, str]:
    """The fingerprint of the corpus and the build, as a lineage has them. Raises StoreError."""
    try:
        told = pq.read_schema(folder / LINEAGE).metadata
        return told[b"vatra.corpus"].decode(), told[b"vatra.build"].decode()
    except (OSError, pa.ArrowException, KeyError, TypeError):
        raise StoreError(
            "a training's lineage is missing or damaged",
            where=str(folder / LINEAGE),
            fix="Train it again.",
        ) from None
