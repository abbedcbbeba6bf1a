"""What a NOVA run tells while it goes on."""

from __future__ import annotations

from models.training.watching import StepWatcher
from models.tribal.plan import TribalPlan


class Watcher(StepWatcher):
    """Hears of a run; by default it does nothing with it."""

    def planned(self, plan: TribalPlan) -> None:
        """Before the first step, and once more after ten steps, when the hours are known."""
