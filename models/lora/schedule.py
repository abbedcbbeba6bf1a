"""How many optimizer steps each phase takes, with which learning rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from models.training.schedule import PhasePlan
from schemas.settings import LoraPreset
from schemas.settings.training import Phase

WHOLE = "everything"


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
