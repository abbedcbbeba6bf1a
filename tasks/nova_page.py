"""The page of a NOVA's training: what the artifact says of it, and what only this machine knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from models.tribal import TribalPlan, TribalResult
from schemas.errors import StoreError
from schemas.nova_evaluation import Evaluation
from schemas.nova_run import EvaluatedLine, MemberCount, NovaRun, ValidationPoint
from schemas.settings import TribalPreset
from schemas.training_run import Need, PhaseRun, StepPoint
from storage.home import Home
from tasks.lineage import LINEAGE, PRESET, labelled_tokens, read_origin
from tasks.reports.evaluated import evaluation_rows
from tasks.reports.nova import render_nova
from tasks.run_pages import memory_need, time_needs, write_page
from tasks.training_kinds import NOVA
from tasks.training_log import (
    MEASURED,
    NOTES,
    PREFLIGHT,
    earlier_seconds,
    logs_of,
    read_lines,
    read_value,
    tell_bytes,
)

#: Lines of the training, and what was measured at its end, beside the model.
CURVE, VALIDATION, EVALUATION = "curve.jsonl", "validation.jsonl", "evaluation.json"


def nova_view(home: Home, name: str, fingerprint: str, account: dict[str, Any], folder: Path) -> NovaRun:
    """The run as its page shows it. Raises StoreError for an account or an evaluation of another version."""
    try:
        result = TribalResult.model_validate(account)
        preset = TribalPreset.model_validate_json((folder / PRESET).read_text("utf-8"))
    except (OSError, ValidationError):
        raise StoreError(
            "the NOVA was trained by another version of vatra", where=str(folder), fix="Train it again."
        ) from None
    corpus, build = read_origin(folder)
    logs = logs_of(home, NOVA.stage, fingerprint)
    notes = [*(str(note) for note in read_value(logs / NOTES) or ()), *result.notes]
    origin = (("Fingerprint", fingerprint), ("Corpus", corpus), ("Build of the corpus", build))
    return NovaRun(
        name=name,
        fingerprint=fingerprint,
        corpus=corpus,
        build=build,
        preset=result.preset,
        folder=str(folder),
        parameters=result.parameters,
        facts=(("NOVA", str(folder)), *origin, *facts_of(result, preset)),
        phases=phases_of(result, folder),
        validation=validation_of(result, folder),
        before=result.before.bits_per_byte if result.before else None,
        after=result.after.bits_per_byte if result.after else None,
        **_read(result, folder),
        strangers=strangers_of(logs),
        evaluation=evaluation_of(folder),
        preflight=needs_of(logs),
        notes=tuple(dict.fromkeys(notes)),
        settings=preset.model_dump_json(indent=2),
    )


def _read(result: TribalResult, folder: Path) -> dict[str, Any]:
    """What it read, and of how much of it is known who speaks."""
    labels = result.labels
    return {
        "members": tuple(
            MemberCount(name=one, turns=labels.turns[one], tokens=labels.tokens[one])
            for one in result.members
        ),
        "unlabelled": labels.unlabelled,
        "set_aside": {reason: count for reason, count in result.examples_set_aside.items() if count},
        "examples": result.examples,
        "examples_in": result.examples + sum(result.examples_set_aside.values()),
        "validation_examples": result.validation_examples,
        "tokens": result.tokens,
        "trained_tokens": result.trained_tokens,
        "labelled_tokens": labelled_tokens(folder / LINEAGE),
    }


def facts_of(result: TribalResult, preset: TribalPreset) -> tuple[tuple[str, str], ...]:
    """What the model is, in words."""
    drawn = f"{preset.layers} layers of {preset.d_model}, {preset.heads} heads, context {result.context:,}"
    mixing = f"{result.mixing}, rank {preset.member_rank}" if result.mixing == "residual" else result.mixing
    return (
        ("Weights", f"{result.parameters:,}; {drawn}"),
        ("Mixing of members", mixing),
        ("Vocabulary", f"{result.vocab_size:,} tokens, learned from the same corpus"),
        ("Computed in", result.dtype),
        ("Libraries", ", ".join(f"{name} {number}" for name, number in result.libraries.items())),
    )


def phases_of(result: TribalResult, folder: Path) -> tuple[PhaseRun, ...]:
    """The phases with their steps, which are numbered through all of them; losses are those of the next token."""
    curve: dict[int, list[StepPoint]] = {}
    for number, line in enumerate(read_lines(folder / CURVE), 1):
        loss = line.get("lm_loss", line["loss"])
        point = StepPoint(step=number, loss=loss, learning_rate=line["learning_rate"])
        curve.setdefault(line["phase"], []).append(point)
    return tuple(
        PhaseRun(
            name=phase.name,
            steps=tuple(curve.get(phase.number, ())),
            examples=phase.examples,
            windows=phase.windows,
            tokens=phase.tokens,
            trained_tokens=phase.trained_tokens,
            learning_rate=phase.learning_rate,
            passes=_passes(phase.steps, phase.batch_size * phase.gradient_accumulation, phase.rows),
            validation_before=phase.before.lm_loss if phase.before else None,
            validation_after=phase.after.lm_loss if phase.after else None,
        )
        for phase in result.phases
    )


def _passes(steps: int, batch: int, rows: int) -> float:
    return steps * batch / rows if rows else 0.0


def validation_of(result: TribalResult, folder: Path) -> tuple[ValidationPoint, ...]:
    """Every validation, by the step of the whole run; one before a phase stands at its first."""
    begun = {phase.number: sum(p.steps for p in result.phases[: phase.number - 1]) for phase in result.phases}
    return tuple(
        ValidationPoint(
            phase=line["phase"],
            step=begun[line["phase"]] + max(1, int(line["step"])),
            lm_loss=line["lm_loss"],
            label_loss=line["label_loss"],
            bits_per_byte=line["bits_per_byte"],
        )
        for line in read_lines(folder / VALIDATION)
    )


def evaluation_of(folder: Path) -> tuple[EvaluatedLine, ...]:
    """What was measured on the text that it never read; nothing where nothing was held out. Raises StoreError."""
    path = folder / EVALUATION
    try:
        found = Evaluation.model_validate_json(path.read_text("utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError):
        raise StoreError(
            "the evaluation of a NOVA is damaged", where=str(path), fix="Train it again."
        ) from None
    return tuple(EvaluatedLine(**row._asdict()) for row in evaluation_rows(found))


def strangers_of(logs: Path) -> dict[str, int]:
    """Turns of authors who are no member, by name. Only this home says whose: an artifact is made to be passed on."""
    plan = read_value(logs / PREFLIGHT)
    return {} if plan is None else TribalPlan.model_validate(plan).labels.strangers


def needs_of(logs: Path) -> tuple[Need, ...]:
    """What was estimated before the first step, beside what was measured."""
    plan, measured = read_value(logs / PREFLIGHT), read_value(logs / MEASURED) or {}
    if plan is None:
        return ()
    return needs_told(TribalPlan.model_validate(plan), measured, earlier_seconds(logs))


def needs_told(plan: TribalPlan, measured: dict[str, Any], earlier: float = 0.0) -> tuple[Need, ...]:
    """The lines of a plan; `measured` may be empty. `earlier`: seconds of sessions before the last one."""
    free = (
        f"{tell_bytes(plan.free_bytes)} free on {plan.device}" if plan.free_bytes is not None else plan.device
    )
    parts = (
        Need(part=f"memory: {name}", estimated=getattr(plan.memory, name), note=_PARTS[name])
        for name in type(plan.memory).model_fields
    )
    return (
        *parts,
        memory_need(plan.memory.total, measured, free),
        Need(part="disk", estimated=plan.disk_bytes, note=f"{tell_bytes(plan.free_disk_bytes)} free"),
        Need(part="steps", estimated=plan.steps, unit="steps"),
        *time_needs(plan.hours, measured, earlier),
    )


_PARTS = {
    "weights": "of the model, in fp32",
    "gradients": "of all weights",
    "optimizer": "two moments for each weight",
    "activations": "of one forward pass, at the longest rows",
    "logits": "over the whole vocabulary, with what the loss makes of them",
}


def write_nova_page(home: Home, view: NovaRun) -> Path:
    """The run's page in the home's reports; returns its path."""
    return write_page(home, NOVA.page_of(home, view.name), render_nova(view))
