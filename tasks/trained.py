"""What is said of a trained adapter: its card, its lineage, and the page of its run."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from models.lora import Preflight
from models.lora.memory import Memory
from models.lora.saving import CURVE, SEEN, SHOWN
from schemas.errors import StoreError
from schemas.settings import LoraPreset
from schemas.training_run import Need, PhaseRun, Piece, SaidSample, ShownWindow, StepPoint, TrainingRun
from storage.datasets import Dataset
from storage.home import Home
from storage.store import translated
from tasks.reports.model_card import CardFacts, render_card
from tasks.reports.training import render_training
from tasks.running import Run
from tasks.training_log import (
    MEASURED,
    NOTES,
    PREFLIGHT,
    SAMPLES,
    logs_of,
    read_lines,
    read_list,
    read_value,
    tell_bytes,
)

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
    write_lineage(corpus, run, out / LINEAGE, seen, bool(preset.phases))
    (out / SEEN).unlink()  # the lineage holds all of it
    (out / PRESET).write_text(preset.model_dump_json(indent=2) + "\n", "utf-8")
    (out / CARD).write_text(render_card(card_facts(run, corpus, preset, account)), "utf-8")


def write_lineage(corpus: Dataset, run: Run, path: Path, seen: pa.Table | None, by_phase: bool) -> None:
    """Every row of the corpus that training looked at; corpus and build stand in the file's metadata.

    `windows` and `trained_tokens` say what of a row of the training split was learned (0: it was set aside); they are
    null in the validation split, which is only measured. `seen` is the trainer's own account of that.
    """
    told = {b"vatra.corpus": corpus.manifest.fingerprint.encode(), b"vatra.build": run.record.build.encode()}
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
        template=account["template"],
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
        ("Template", account["template"]),
        ("Base", f"{account['base_identity']} ({account['quantization']}, {account['dtype']})"),
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
        backend=_backend(account),
        folder=str(folder),
        facts=tuple(facts),
        phases=phases_of(account, folder),
        set_aside=left_aside(account),
        examples=account["examples"],
        validation_examples=account["validation_examples"],
        replies=account["replies"],
        tokens=account["tokens"],
        trained_tokens=account["trained_tokens"],
        shown=shown_of(folder),
        preflight=needs_of(logs),
        samples=read_list(logs / SAMPLES, SaidSample),
        notes=notes_of(account, logs),
        settings=preset.model_dump_json(indent=2),
    )


def phases_of(account: dict[str, Any], folder: Path) -> tuple[PhaseRun, ...]:
    """The phases of a run, with their steps from the curve that lies beside the adapter."""
    curve: dict[int, list[dict[str, Any]]] = {}
    for point in read_lines(folder / CURVE):
        curve.setdefault(point["phase"], []).append(point)
    phases, before = [], 0
    for phase in account["phases"]:
        points = curve.get(phase["number"], [])
        phases.append(
            PhaseRun(
                steps=tuple(
                    StepPoint(step=before + p["step"], loss=p["loss"], learning_rate=p["learning_rate"])
                    for p in points
                ),
                validation_before=phase["validation_loss_before"],
                validation_after=phase["validation_loss_after"],
                **{name: phase[name] for name in _OF_PHASE},
            )
        )
        before += len(points)
    return tuple(phases)


_OF_PHASE = ("name", "examples", "windows", "tokens", "trained_tokens", "learning_rate", "epochs")


def shown_of(folder: Path) -> tuple[ShownWindow, ...]:
    """The windows that were decoded before the first step."""
    return tuple(
        ShownWindow(
            example_id=one["example_id"],
            phase=one["phase"],
            pieces=tuple(Piece(text=piece["text"], learned=piece["trained"]) for piece in one["pieces"]),
        )
        for one in read_lines(folder / SHOWN)
    )


def left_aside(account: dict[str, Any]) -> dict[str, int]:
    """Examples and replies that were not trained on, by reason."""
    examples = {f"examples: {reason}": n for reason, n in account["examples_set_aside"].items()}
    replies = {
        "replies longer than a window": account["replies_too_long"],
        "replies that the template cannot write": account["replies_left_out"],
        "windows that the steps did not reach": sum(p["windows_not_reached"] for p in account["phases"]),
    }
    return {reason: n for reason, n in {**examples, **replies}.items() if n}


def notes_of(account: dict[str, Any], logs: Path) -> tuple[str, ...]:
    """What a person should know of a run beside its figures."""
    notes = [str(note) for note in read_value(logs / NOTES) or ()]
    if account["marks_defused"]:
        notes.append(
            f"{account['marks_defused']:,} special marks in people's texts were made harmless: the model reads "
            "them as words."
        )
    return tuple(dict.fromkeys(notes))


def _backend(account: dict[str, Any]) -> str:
    name = {"trl": "TRL + PEFT", "unsloth": "Unsloth"}.get(account["backend"], account["backend"])
    return str(name)


def needs_of(logs: Path) -> tuple[Need, ...]:
    """What was estimated before the first step, beside what was measured."""
    plan, measured = read_value(logs / PREFLIGHT), read_value(logs / MEASURED) or {}
    if plan is None:
        return ()
    memory = Memory.model_validate(plan["memory"])
    return needs_told(Preflight.model_validate(plan), memory, measured)


def needs_told(plan: Preflight, memory: Memory, measured: dict[str, Any]) -> tuple[Need, ...]:
    """The lines of a preflight; `measured` may be empty."""
    free = (
        f"{tell_bytes(plan.free_bytes)} free on {plan.device}" if plan.free_bytes is not None else plan.device
    )
    parts = [
        Need(part=f"memory: {name}", estimated=getattr(memory, name), note=_PARTS.get(name, ""))
        for name in type(memory).model_fields
    ]
    taken, hours = measured.get("seconds"), plan.hours
    return (
        *parts,
        Need(part="memory in all", estimated=memory.total, measured=measured.get("peak_bytes"),
             note=f"{free}; measured is the peak of the whole process, libraries included"),
        Need(part="disk", estimated=plan.disk_bytes, note=f"{tell_bytes(plan.free_disk_bytes)} free"),
        Need(part="steps", estimated=plan.steps, unit="steps"),
        Need(part="time", estimated=None if hours is None else hours * 60,
             measured=None if taken is None else taken / 60, unit="minutes",
             note="estimated from ten steps; unknown before them"),
        Need(part="speed", measured=measured.get("tokens_per_second"), unit="tokens/s"),
    )  # fmt: skip


_PARTS = {
    "weights": "of the base, as they are held",
    "gradients": "of the adapter",
    "optimizer": "two moments for each weight of the adapter",
    "activations": "of one forward pass, at the longest window",
    "logits": "of the stretch in which the loss is computed",
}


def write_training_page(home: Home, view: TrainingRun) -> Path:
    """The run's page in the home's reports; returns its path."""
    path = home.reports / f"lora-{view.name}.html"
    with translated("write the report", str(path)):
        home.reports.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(render_training(view), "utf-8")
        temporary.replace(path)
    return path
