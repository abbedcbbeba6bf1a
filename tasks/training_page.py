"""The page of a training run: what the artifact says of it, and what only this machine knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.lora import Preflight
from models.lora.memory import Memory
from models.lora.saving import CURVE, SHOWN
from schemas.settings import LoraPreset
from schemas.training_run import Need, PhaseRun, Piece, SaidSample, ShownWindow, StepPoint, TrainingRun
from storage.home import Home
from tasks.lineage import PRESET, read_origin
from tasks.reports.training import render_training
from tasks.run_pages import memory_need, time_needs, write_page
from tasks.trained import base_name
from tasks.training_kinds import LORA
from tasks.training_log import (
    MEASURED,
    NOTES,
    PREFLIGHT,
    SAMPLES,
    earlier_seconds,
    logs_of,
    read_lines,
    read_list,
    read_value,
    tell_bytes,
)


def run_view(home: Home, name: str, fingerprint: str, account: dict[str, Any], folder: Path) -> TrainingRun:
    """The run as its page shows it; what only this machine knows (steps, samples, measurements) is in its logs."""
    preset = LoraPreset.model_validate_json((folder / PRESET).read_text("utf-8"))
    corpus, build = read_origin(folder)
    logs = logs_of(home, LORA.stage, fingerprint)
    system = [("System prompt", preset.system)] if preset.system else []
    facts = [
        ("Adapter", str(folder)),
        ("Fingerprint", fingerprint),
        ("Corpus", corpus),
        ("Build of the corpus", build),
        ("Template", account["template"]),
        *system,
        ("Base", _base(account)),
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
        examples_in=account["examples"] + sum(account["examples_set_aside"].values()),
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
                passes=phase.get("passes"),
                **{name: phase[name] for name in _OF_PHASE},
            )
        )
        before += len(points)
    return tuple(phases)


_OF_PHASE = ("name", "examples", "windows", "tokens", "trained_tokens", "learning_rate")


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


def _base(account: dict[str, Any]) -> str:
    """What the base was, in words."""
    held = {"none": "not quantized", "nf4": "in 4 bits", "int8": "in 8 bits"}[account["quantization"]]
    made = "made for this run, from the preset" if account["base_is_demo"] else account["base_identity"]
    return f"{made}; {held}, computing in {account['dtype']}"


def _backend(account: dict[str, Any]) -> str:
    name = {"trl": "TRL + PEFT", "unsloth": "Unsloth"}.get(account["backend"], account["backend"])
    return str(name)


def needs_of(logs: Path) -> tuple[Need, ...]:
    """What was estimated before the first step, beside what was measured."""
    plan, measured = read_value(logs / PREFLIGHT), read_value(logs / MEASURED) or {}
    if plan is None:
        return ()
    memory = Memory.model_validate(plan["memory"])
    return needs_told(Preflight.model_validate(plan), memory, measured, earlier_seconds(logs))


def needs_told(
    plan: Preflight, memory: Memory, measured: dict[str, Any], earlier: float = 0.0
) -> tuple[Need, ...]:
    """The lines of a preflight; `measured` may be empty. `earlier`: seconds of sessions before the last one."""
    free = (
        f"{tell_bytes(plan.free_bytes)} free on {plan.device}" if plan.free_bytes is not None else plan.device
    )
    parts = [
        Need(part=f"memory: {name}", estimated=getattr(memory, name), note=_PARTS.get(name, ""))
        for name in type(memory).model_fields
    ]
    return (
        *parts,
        memory_need(memory.total, measured, free),
        Need(part="disk", estimated=plan.disk_bytes, note=f"{tell_bytes(plan.free_disk_bytes)} free"),
        Need(part="steps", estimated=plan.steps, unit="steps"),
        *time_needs(plan.hours, measured, earlier),
    )


_PARTS = {
    "weights": "of the base, as they are held",
    "gradients": "of the adapter",
    "optimizer": "two moments for each weight of the adapter",
    "activations": "of one forward pass, at the longest window",
    "holes": "in the heap of a CPU, beside what is alive",
    "logits": "of the stretch in which the loss is computed",
}


def write_training_page(home: Home, view: TrainingRun) -> Path:
    """The run's page in the home's reports; returns its path."""
    return write_page(home, LORA.page_of(home, view.name), render_training(view))
