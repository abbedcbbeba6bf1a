"""What a phase of a training is: rows in batches, and optimizer steps with a learning rate."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.settings import LoraPreset, TribalPreset


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


def wanted_batch(preset: LoraPreset | TribalPreset) -> Batch:
    """The batch that a preset asks for."""
    return Batch(preset.batch_size, preset.gradient_accumulation)


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
