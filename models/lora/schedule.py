"""How many optimizer steps each phase takes, with which learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.settings import LoraPreset
from schemas.settings.training import Phase

WHOLE = "everything"


@dataclass(frozen=True)
class Batch:
    """Rows in a forward pass, and forward passes in an optimizer step."""

    size: int
    accumulation: int

    def halved(self) -> Batch | None:
        """At most half as many rows at once, the same number in a step; None for a single row.

        Not one more: a run that goes on would pass over rows that it never read.
        """
        if self.size == 1:
            return None
        together = self.size * self.accumulation
        size = next(size for size in range(self.size // 2, 0, -1) if together % size == 0)
        return Batch(size, together // size)


@dataclass(frozen=True)
class PhasePlan:
    """`number` counts from 1. `rows` are windows, or packed rows of windows; `steps` may be 0."""

    number: int
    name: str
    learning_rate: float
    epochs: float
    rows: int
    steps: int
    warmup_steps: int


def phases_of(preset: LoraPreset) -> tuple[Phase, ...]:
    """The preset's phases; without any, one over everything."""
    whole = Phase(name=WHOLE, learning_rate=preset.learning_rate, epochs=preset.epochs)
    return preset.phases or (whole,)


def plan_phases(preset: LoraPreset, rows: Sequence[int]) -> tuple[PhasePlan, ...]:
    """Steps of each phase over that many rows; `max_steps` cuts the last ones short."""
    left = math.inf if preset.max_steps is None else preset.max_steps
    plans = []
    for number, (phase, count) in enumerate(zip(phases_of(preset), rows, strict=True), 1):
        # The batch of the preset, not a halved one: so a run out of memory does not change what is learnt.
        per_epoch = math.ceil(math.ceil(count / preset.batch_size) / preset.gradient_accumulation)
        steps = int(min(left, math.ceil(per_epoch * phase.epochs)))
        left -= steps
        warmup = math.ceil(steps * preset.warmup_ratio)
        plans.append(PhasePlan(number, phase.name, phase.learning_rate, phase.epochs, count, steps, warmup))
    return tuple(plans)
