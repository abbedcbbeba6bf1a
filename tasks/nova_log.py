"""What a NOVA run writes down before its first step."""

from __future__ import annotations

from models.tribal import TribalPlan, Watcher
from tasks.progress import listener
from tasks.reports.templates import tell_time
from tasks.training_log import PREFLIGHT, RunLog, tell_bytes


class NovaLog(RunLog, Watcher):
    """A run's log that also holds its plan."""

    def planned(self, plan: TribalPlan) -> None:
        """Before the first step, and once more when the hours are known."""
        self.write(PREFLIGHT, plan.model_dump(mode="json"))
        if plan.hours is not None:
            listener().noted(self.stage, f"about {tell_time(plan.hours * 3600)} in all")
            return
        needs = f"about {tell_bytes(plan.memory.total)} of memory on {plan.device}"
        listener().noted(
            self.stage,
            f"{plan.steps:,} steps for {plan.parameters:,} weights over {plan.tokens:,} tokens, {needs}",
        )
        if left := plan.examples_set_aside.get("not_reached"):
            whole = plan.examples + left
            self.noted(
                f"Not everything is read: nothing of {left:,} of {whole:,} examples, for max_steps ends it."
            )
