"""How much memory and disk a NOVA training takes, part by part, as an estimate."""

from __future__ import annotations

import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from models.training.device import CPU, free_memory
from models.training.schedule import Batch
from schemas.errors import StoreError, UsageError
from schemas.settings.tribal import TribalPreset

GIB = 1 << 30
#: Numbers that a block keeps of each token for its gradients, in widths of the model: norms, query, key, value, what is
#: attended, both sides of the feed-forward part, masks of dropout.
_KEPT = 24
#: Copies of the attention's scores that a block holds on a CPU; on an accelerator they never are.
_SCORES = 1
#: Copies of the logits that a step holds: as they are, in fp32, their softmax, their gradients.
_LOGITS = 4


class TribalMemory(BaseModel):
    """Bytes by part, on top of what the process holds before there is a model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: int
    gradients: int
    optimizer: int
    activations: int
    logits: int

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(getattr(self, name) for name in type(self).model_fields)


def estimate_memory(preset: TribalPreset, parameters: int, batch: Batch, device: str = CPU) -> TribalMemory:
    """Peak bytes of a step over `batch.size` rows, all in fp32 (bf16 halves the activations at most).

    `device` is CPU or an accelerator's name.
    """
    tokens = batch.size * preset.max_length
    scores = _SCORES * preset.heads * preset.max_length if device == CPU else 0
    return TribalMemory(
        weights=4 * parameters,
        gradients=4 * parameters,
        optimizer=8 * parameters,
        activations=4 * tokens * preset.layers * (_KEPT * preset.d_model + scores),
        logits=4 * _LOGITS * tokens * preset.vocab_size,
    )


def plan_memory(preset: TribalPreset, parameters: int, batch: Batch) -> tuple[TribalMemory, str, int | None]:
    """Memory by part, the device and its free bytes. Raises UsageError when it does not fit, saying what to change."""
    device, free = free_memory()
    needed = estimate_memory(preset, parameters, batch, device)
    if free is not None and needed.total > free:
        raise UsageError(
            f"the training needs about {needed.total / GIB:.1f} GiB of memory, {device} has {free / GIB:.1f} free",
            fix=_advice(preset, parameters, batch, device, free),
        )
    return needed, device, free


def plan_disk(parameters: int, tokens: int, phases: int, folder: Path) -> tuple[int, int]:
    """Bytes that a run writes, and those that are free. Raises StoreError when they are too few."""
    # Three checkpoints at a moment (weights and optimizer), two best weights, those of each phase, and the last ones.
    needed = 3 * 12 * parameters + (3 + phases) * 4 * parameters + tokens
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise StoreError(
            f"the training writes about {needed / GIB:.1f} GiB, {free / GIB:.1f} are free",
            where=str(folder),
            fix="Free some space and run the same command again.",
        )
    return needed, free


def _advice(preset: TribalPreset, parameters: int, batch: Batch, device: str, free: int) -> str:
    """The largest batch that would fit, or that none does."""
    smaller: Batch | None = batch
    while smaller is not None and estimate_memory(preset, parameters, smaller, device).total > free:
        smaller = smaller.halved()
    if smaller is None:
        return "Not even batch_size: 1 in the NOVA preset would do: take a smaller one, or a larger machine."
    return (
        f"With batch_size: {smaller.size} and gradient_accumulation: {smaller.accumulation} in the NOVA preset "
        "it would fit."
    )
