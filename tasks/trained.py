"""What is said of a trained adapter: its card, its lineage, and the page of its run."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.lora.saving import SEEN
from schemas.errors import StoreError
from schemas.files import expanded
from schemas.settings import LoraPreset
from storage.datasets import Dataset
from tasks.adapter_names import STAGE
from tasks.reports.model_card import CardFacts, render_card
from tasks.running import Run

CARD, LINEAGE, PRESET = "README.md", "lineage.parquet", "preset.json"
#: Splits that training looks at: it learns from the first and measures itself on the second.
READ = ("train", "validation")

LINEAGE_SCHEMA = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("conversation_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("phase", pa.int32(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("windows", pa.int64()),
        pa.field("trained_tokens", pa.int64()),
    ]
)


def describe(run: Run, preset: LoraPreset, account: dict[str, Any], out: Path, name: str) -> None:
    """Write card, lineage and preset beside a freshly trained adapter."""
    corpus = run.dataset("mix")
    seen = pq.read_table(out / SEEN)
    write_lineage(corpus, run, out / LINEAGE, seen, bool(preset.phases))
    (out / SEEN).unlink()  # the lineage holds all of it
    (out / PRESET).write_text(preset.model_dump_json(indent=2) + "\n", "utf-8")
    (out / CARD).write_text(render_card(card_facts(run, corpus, preset, account, out, name)), "utf-8")


def write_lineage(corpus: Dataset, run: Run, path: Path, seen: pa.Table, by_phase: bool) -> None:
    """Every example that training read, once (`by_phase`: once in each phase that read it), and every one it measured
    itself on; corpus and build stand in the file's metadata.

    `windows` and `trained_tokens` say what of it was learned; they are null in the validation split. `seen` is the
    trainer's own account: what was set aside or not reached is not in it, and so not in the lineage.
    """
    told = {b"vatra.corpus": corpus.manifest.fingerprint.encode(), b"vatra.build": run.record.build.encode()}
    schema = LINEAGE_SCHEMA.with_metadata(told)
    keys = ["example_id", "phase"] if by_phase else ["example_id"]
    with pq.ParquetWriter(path, schema, compression="zstd") as sink:
        for split in READ:
            written: set[tuple[Any, ...]] = set()
            for part in corpus.scan(split, ["example_id", "conversation_id", "source", "phase"]):
                fresh = _first(part, keys, written)
                rows = fresh.append_column("split", pa.array([split] * fresh.num_rows, pa.string()))
                sink.write_table(_learned(rows, seen if split == "train" else None, keys).cast(schema))


def _first(part: pa.Table, keys: list[str], before: set[tuple[Any, ...]]) -> pa.Table:
    """The rows whose keys did not come before; they are added to those that did."""
    kept = []
    for key in zip(*(part[name].to_pylist() for name in keys), strict=True):
        kept.append(key not in before)
        before.add(key)
    return part.filter(pa.array(kept, pa.bool_()))


def _learned(rows: pa.Table, seen: pa.Table | None, keys: list[str]) -> pa.Table:
    """The rows that were read, in their order, with what was learned of each."""
    if seen is None:
        nothing = pa.nulls(rows.num_rows, pa.int64())
        return rows.append_column("windows", nothing).append_column("trained_tokens", nothing)
    numbered = rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    figures = seen.select([*keys, "windows", "trained_tokens"])
    joined = numbered.join(figures, keys=keys, join_type="inner", use_threads=False).sort_by("row")
    return joined.select(LINEAGE_SCHEMA.names)


def card_facts(
    run: Run, corpus: Dataset, preset: LoraPreset, account: dict[str, Any], out: Path, name: str
) -> CardFacts:
    """What the card tells: the build's plan, what the lineage names, and the corpus's narrow columns."""
    read = pq.read_table(out / LINEAGE, columns=["example_id", "split"])
    ids = read.filter(pc.equal(read["split"], "train"))["example_id"]
    columns = corpus.column("train", ["example_id", "source", "language"])
    train = _first(columns.filter(pc.is_in(columns["example_id"], ids)), ["example_id"], set())
    settings = run.settings
    kept = settings.for_filter().model_dump(mode="json")
    # The score stage's, which the filter's own settings lack; of patterns only how many: they may be private.
    kept["toxicity"]["scorer"] = settings.toxicity.scorer
    for family, rules in (("blacklist", settings.blacklist), ("slop", settings.slop)):
        own = {"builtin": rules.builtin, "patterns": len(rules.patterns), "files": len(rules.files)}
        kept[family] |= own
    return CardFacts(
        name=name,
        preset=preset.description,
        preset_values=_told_preset(preset, account),
        base=base_name(preset, account),
        base_is_local=base_is_local(preset),
        base_is_demo=account["base_is_demo"],
        base_license=None,
        result=account,
        corpus=corpus.manifest.fingerprint,
        build=run.record.build,
        stages={name: mark for name, mark in run.record.stages.items() if name not in (STAGE, "mix")},
        sources=_counts(train["source"]),
        licenses=_licenses(settings.model_dump(mode="json")),
        languages=_counts(train["language"]),
        filter_settings=kept,
        template=account["template"],
    )


def base_name(preset: LoraPreset, account: dict[str, Any]) -> str:
    """The base as it may be told to others: a hub id, or only the last part of a local folder's path."""
    name = getattr(preset.base, "name", None)
    if name is None:
        return str(account["base"])
    return expanded(name).name if base_is_local(preset) else str(name)


def base_is_local(preset: LoraPreset) -> bool:
    """Whether the preset names its base by a folder of this machine."""
    name = getattr(preset.base, "name", None)
    if name is None:
        return False
    local = expanded(name)
    return local.is_absolute() or local.exists() or name.startswith(("./", "../", "~"))


def _told_preset(preset: LoraPreset, account: dict[str, Any]) -> dict[str, Any]:
    """The preset's values without a path of this machine."""
    values: dict[str, Any] = preset.model_dump(mode="json")
    if "name" in values["base"]:
        values["base"]["name"] = base_name(preset, account)
    return values


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


def read_origin(folder: Path) -> tuple[str, str]:
    """The fingerprint of the corpus and the build, as the lineage of an adapter has them. Raises StoreError."""
    try:
        told = pq.read_schema(folder / LINEAGE).metadata
        return told[b"vatra.corpus"].decode(), told[b"vatra.build"].decode()
    except (OSError, pa.ArrowException, KeyError, TypeError):
        raise StoreError(
            "the adapter's lineage is missing or damaged", where=str(folder / LINEAGE), fix="Train it again."
        ) from None
