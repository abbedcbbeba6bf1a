"""What is said of a trained adapter: its card, its lineage, and the page of its run."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from schemas.errors import StoreError
from schemas.settings import LoraPreset
from schemas.training_run import Need, PhaseRun, SaidSample, ShownWindow, StepPoint, TrainingRun
from storage.datasets import Dataset
from storage.home import Home
from storage.store import translated
from tasks.reports.model_card import CardFacts, render_card
from tasks.reports.training import render_training
from tasks.running import Run
from tasks.training_log import PREFLIGHT, SAMPLES, SHOWN, logs_of, read_list, read_steps

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
    ]
)


def describe(run: Run, preset: LoraPreset, account: dict[str, Any], out: Path) -> None:
    """Write card, lineage and preset beside a freshly trained adapter."""
    corpus = run.dataset("mix")
    write_lineage(corpus, run, out / LINEAGE)
    (out / PRESET).write_text(preset.model_dump_json(indent=2) + "\n", "utf-8")
    (out / CARD).write_text(render_card(card_facts(run, corpus, preset, account)), "utf-8")


def write_lineage(corpus: Dataset, run: Run, path: Path) -> None:
    """Every row of the corpus that training looked at; corpus and build stand in the file's metadata."""
    told = {b"vatra.corpus": corpus.manifest.fingerprint.encode(), b"vatra.build": run.record.build.encode()}
    with pq.ParquetWriter(path, LINEAGE_SCHEMA.with_metadata(told), compression="zstd") as sink:
        for split in READ:
            for part in corpus.scan(split, ["example_id", "conversation_id", "source", "phase"]):
                rows = part.append_column("split", pa.array([split] * part.num_rows, pa.string()))
                sink.write_table(rows.cast(LINEAGE_SCHEMA.with_metadata(told)))


def card_facts(run: Run, corpus: Dataset, preset: LoraPreset, account: dict[str, Any]) -> CardFacts:
    """What the card tells, from the build's plan and the corpus's narrow columns."""
    train = corpus.column("train", ["source", "language"])
    settings = run.settings
    return CardFacts(
        preset=preset.description,
        preset_values=preset.model_dump(mode="json"),
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
        template=account.get("template"),
    )


def base_name(preset: LoraPreset, account: dict[str, Any]) -> str:
    """The base as it may be told to others: a hub id, or only the last part of a local folder's path."""
    name = getattr(preset.base, "name", None)
    if name is None:
        return str(account["base"])
    local = Path(name).expanduser()
    return (
        local.name
        if local.is_absolute() or local.exists() or name.startswith(("./", "../", "~"))
        else str(name)
    )


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


def run_view(home: Home, name: str, fingerprint: str, account: dict[str, Any], folder: Path) -> TrainingRun:
    """The run as its page shows it; what only this machine knows (steps, samples, measurements) is in its logs."""
    preset = LoraPreset.model_validate_json((folder / PRESET).read_text("utf-8"))
    corpus, build = read_origin(folder)
    logs = logs_of(home, STAGE, fingerprint)
    facts = [
        ("Adapter", str(folder)),
        ("Fingerprint", fingerprint),
        ("Corpus", corpus),
        ("Build of the corpus", build),
        *([("Template", str(account["template"]))] if account.get("template") else []),
        ("Adapted layers", f"{', '.join(account['target_modules'])} ({account['adapted_layers']} in all)"),
        ("Trainable weights", f"{account['trainable_parameters']:,} of {account['base_parameters']:,}"),
        ("Libraries", ", ".join(f"{k} {v}" for k, v in account["libraries"].items())),
    ]
    return TrainingRun(
        name=name,
        fingerprint=fingerprint,
        corpus=corpus,
        build=build,
        preset=account["preset"],
        base=base_name(preset, account),
        base_is_demo=account["base_is_demo"],
        backend=account.get("backend", "TRL + PEFT"),
        folder=str(folder),
        facts=tuple(facts),
        phases=phases_of(account, preset, read_steps(logs)),
        set_aside={k: n for k, n in account["examples_set_aside"].items() if n},
        examples=account["examples"],
        validation_examples=account["validation_examples"],
        replies=account["replies"],
        tokens=account["tokens"],
        trained_tokens=account["trained_tokens"],
        shown=read_list(logs / SHOWN, ShownWindow),
        preflight=read_list(logs / PREFLIGHT, Need),
        samples=read_list(logs / SAMPLES, SaidSample),
        notes=tuple(account.get("notes", ())),
        settings=preset.model_dump_json(indent=2),
    )


def phases_of(
    account: dict[str, Any], preset: LoraPreset, steps: Sequence[dict[str, Any]]
) -> tuple[PhaseRun, ...]:
    """The phases of a run, from what the training said of itself and the log of its steps."""
    return (
        PhaseRun(
            name="training",
            steps=tuple(StepPoint(step=line["step"], loss=line["loss"]) for line in steps),
            examples=account["examples"],
            windows=account.get("windows", account["examples"]),
            tokens=account["tokens"],
            trained_tokens=account["trained_tokens"],
            learning_rate=preset.learning_rate,
            epochs=preset.epochs,
            validation_before=account["validation_loss_before"],
            validation_after=account["validation_loss_after"],
        ),
    )


def write_training_page(home: Home, view: TrainingRun) -> Path:
    """The run's page in the home's reports; returns its path."""
    path = home.reports / f"lora-{view.name}.html"
    with translated("write the report", str(path)):
        home.reports.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(render_training(view), "utf-8")
        temporary.replace(path)
    return path
