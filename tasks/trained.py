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
from tasks.reports.model_card import CardFacts, render_card
from tasks.running import Run

CARD, LINEAGE, PRESET = "README.md", "lineage.parquet", "preset.json"
STAGE = "train-lora"
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


def describe(run: Run, preset: LoraPreset, account: dict[str, Any], out: Path) -> None:
    """Write card, lineage and preset beside a freshly trained adapter."""
    corpus = run.dataset("mix")
    seen = pq.read_table(out / SEEN)
    left = sum(phase["windows_not_reached"] for phase in account["phases"])
    write_lineage(corpus, run, out / LINEAGE, seen, bool(preset.phases), left)
    (out / SEEN).unlink()  # the lineage holds all of it
    (out / PRESET).write_text(preset.model_dump_json(indent=2) + "\n", "utf-8")
    (out / CARD).write_text(render_card(card_facts(run, corpus, preset, account)), "utf-8")


def write_lineage(
    corpus: Dataset, run: Run, path: Path, seen: pa.Table | None, by_phase: bool, not_reached: int = 0
) -> None:
    """Every row of the corpus that training looked at; corpus and build stand in the file's metadata.

    `windows` and `trained_tokens` say what of a row of the training split was there to learn (0: it was set aside);
    they are null in the validation split, which is only measured. `seen` is the trainer's own account of that. Where
    max_steps or less than an epoch ended a phase, `not_reached` of the windows were never read: how many stands in the
    metadata, which ones is not known.
    """
    told = {
        b"vatra.corpus": corpus.manifest.fingerprint.encode(),
        b"vatra.build": run.record.build.encode(),
        b"vatra.windows_not_reached": str(not_reached).encode(),
    }
    schema = LINEAGE_SCHEMA.with_metadata(told)
    keys = ["example_id", "phase"] if by_phase else ["example_id"]
    with pq.ParquetWriter(path, schema, compression="zstd") as sink:
        for split in READ:
            for part in corpus.scan(split, ["example_id", "conversation_id", "source", "phase"]):
                rows = part.append_column("split", pa.array([split] * part.num_rows, pa.string()))
                sink.write_table(_learned(rows, seen if split == "train" else None, keys).cast(schema))


def _learned(rows: pa.Table, seen: pa.Table | None, keys: list[str]) -> pa.Table:
    """The rows in their order, with what was learned of each."""
    if seen is None:
        nothing = pa.nulls(rows.num_rows, pa.int64())
        return rows.append_column("windows", nothing).append_column("trained_tokens", nothing)
    numbered = rows.append_column("row", pa.array(range(rows.num_rows), pa.int64()))
    figures = seen.select([*keys, "windows", "trained_tokens"])
    joined = numbered.join(figures, keys=keys, join_type="left outer", use_threads=False).sort_by("row")
    for name in ("windows", "trained_tokens"):
        joined = joined.set_column(
            joined.column_names.index(name), name, pc.fill_null(joined[name].cast(pa.int64()), 0)
        )
    return joined.select(LINEAGE_SCHEMA.names)


def card_facts(run: Run, corpus: Dataset, preset: LoraPreset, account: dict[str, Any]) -> CardFacts:
    """What the card tells, from the build's plan and the corpus's narrow columns."""
    train = corpus.column("train", ["source", "language"])
    settings = run.settings
    return CardFacts(
        preset=preset.description,
        preset_values=_told_preset(preset, account),
        base=base_name(preset, account),
        base_is_demo=account["base_is_demo"],
        base_license=None,
        result=account,
        corpus=corpus.manifest.fingerprint,
        build=run.record.build,
        stages={name: mark for name, mark in run.record.stages.items() if name not in (STAGE, "mix")},
        sources=_counts(train["source"]),
        licenses=_licenses(settings.model_dump(mode="json")),
        languages=_counts(train["language"]),
        filter_settings=settings.for_filter().model_dump(mode="json"),
        template=account["template"],
    )


def base_name(preset: LoraPreset, account: dict[str, Any]) -> str:
    """The base as it may be told to others: a hub id, or only the last part of a local folder's path."""
    name = getattr(preset.base, "name", None)
    if name is None:
        return str(account["base"])
    local = expanded(name)
    return (
        local.name
        if local.is_absolute() or local.exists() or name.startswith(("./", "../", "~"))
        else str(name)
    )


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
