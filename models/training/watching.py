"""What a run tells while it goes on. Whoever shows it overrides what it wants to hear of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StepDone:
    """An optimizer step. `step` of `steps` counts over all phases; `phase` is a number from 1.

    `seconds` and `tokens` are those of this process since its first step (padding not counted), so tokens / seconds
    is the speed, and seconds / (step - first_step + 1) the time of a step.
    """

    phase: int
    phase_name: str
    step: int
    steps: int
    first_step: int
    loss: float
    learning_rate: float
    seconds: float
    tokens: int


@dataclass(frozen=True)
class Measured:
    """What a run took on this machine; no part of its result. Bytes are the process's (or the device's): its peak, and
    what it held when everything was imported and no model was loaded yet."""

    peak_bytes: int
    held_bytes: int
    seconds: float
    tokens_per_second: float | None


class StepWatcher:
    """Hears of the steps of any training; by default it does nothing with it."""

    def noted(self, text: str) -> None:
        """Something that a person should know: where it goes on, that the batch was halved."""

    def stepped(self, step: StepDone) -> None:
        """An optimizer step is done."""

    def stopping(self) -> None:
        """Ctrl-C was heard; the step that is under way is finished and saved first."""

    def measured(self, measured: Measured) -> None:
        """The training is over."""
