"""The plan of a run before its first step: what it will read, what it takes, and whether that is there."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.lora.memory import Memory, estimate_memory
from models.lora.shapes import BaseShape
from models.training.device import free_memory
from models.training.schedule import Batch
from schemas.errors import StoreError, UsageError
from schemas.settings import LoraPreset

GIB = 1 << 30


class PlannedPhase(BaseModel):
    """One phase as planned. rows = examples + the sum of set_aside; `windows` of at most max_length tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    learning_rate: float
    epochs: float
    rows: int
    examples: int
    windows: int
    tokens: int
    trained_tokens: int
    steps: int
    windows_not_reached: int
    set_aside: dict[str, int]


class Preflight(BaseModel):
    """What a run will do and take. `hours` is null until ten steps are done; `free_bytes` where nobody says.

    `examples` are those of which it will read at least one window, `examples_not_reached` those of which none:
    distinct ones, however many phases they stand in.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    backend: str
    device: str
    phases: tuple[PlannedPhase, ...]
    validation_windows: int
    examples: int
    examples_not_reached: int
    steps: int
    tokens: int
    memory: Memory
    free_bytes: int | None
    disk_bytes: int
    free_disk_bytes: int
    hours: float | None = None


def plan_memory(
    shape: BaseShape, preset: LoraPreset, batch: Batch, longest: int, bytes_per_number: int
) -> tuple[Memory, str, int | None]:
    """Memory by part, the device and its free bytes. Raises UsageError when it does not fit, saying what to change."""
    device, free = free_memory()
    needed = estimate_memory(shape, preset, batch, longest, bytes_per_number, device)
    if free is not None and needed.total > free:
        raise UsageError(
            f"the training needs about {needed.total / GIB:.1f} GiB of memory, {device} has {free / GIB:.1f} free",
            fix=_advice(shape, preset, batch, longest, bytes_per_number, device, free),
        )
    return needed, device, free


def plan_disk(shape: BaseShape, tokens: int, folder: Path) -> tuple[int, int]:
    """Bytes that a run writes, and those that are free. Raises StoreError when they are too few."""
    # Three checkpoints at a moment (adapter and optimizer), the adapter of each phase and the last one; the windows.
    needed = 3 * 12 * shape.adapter + 8 * shape.adapter + 16 * tokens
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the training writes about {needed / GIB:.1f} GiB, {free / GIB:.1f} are free",
            where=str(folder),
            fix="Free some space and run the same command again.",
        )
    return needed, free


def _advice(
    shape: BaseShape,
    preset: LoraPreset,
    batch: Batch,
    longest: int,
    bytes_per_number: int,
    device: str,
    free: int,
) -> str:
    """The first change, or pile of changes, in a preset with which the run would fit."""
    changed, told = preset, []
    for change in _changes(preset, batch):
        update = dict(change)
        changed = changed.model_copy(update=update)
        told += [f"{name}: {str(value).lower()}" for name, value in update.items()]
        smaller = Batch(changed.batch_size, changed.gradient_accumulation)
        most = min(longest, changed.max_length)
        if estimate_memory(shape, changed, smaller, most, bytes_per_number, device).total <= free:
            return f"With this in the preset it would fit: {', '.join(told)}."
    return (
        f"Not even this in the preset would do: {', '.join(told)}. Take a smaller base, or a larger machine."
    )


def _changes(preset: LoraPreset, batch: Batch) -> Sequence[dict[str, object]]:
    changes: list[dict[str, object]] = []
    if not preset.gradient_checkpointing:
        changes.append({"gradient_checkpointing": True})
    if batch.size > 1:
        changes.append({"batch_size": 1, "gradient_accumulation": batch.size * batch.accumulation})
    if preset.quantization == "none" and preset.base.kind == "pretrained":
        changes.append({"quantization": "nf4"})
    if preset.max_length > 1024:
        changes.append({"max_length": 1024, "context": min(preset.context, 256)})
    return changes
