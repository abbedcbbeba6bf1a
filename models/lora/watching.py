"""What a LoRA run tells while it goes on."""

from __future__ import annotations

from models.lora.inspection import Shown
from models.lora.preflight import Preflight
from models.training.watching import StepWatcher


class Watcher(StepWatcher):
    """Hears of a run; by default it does nothing with it."""

    def planned(self, preflight: Preflight) -> None:
        """Before the first step, and once more after ten steps, when the hours are known."""

    def showed(self, shown: list[Shown]) -> None:
        """Windows as the model will read them, before the first step."""
