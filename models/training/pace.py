"""Counts steps over all phases, and tells how fast they come."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.training.checkpoints import step_of
from models.training.schedule import PhasePlan
from models.training.steps import Step
from models.training.watching import StepDone, StepWatcher

#: So many steps are timed before the hours of a run are told.
TIMED_STEPS = 10


class Pace:
    """Turns the steps of a phase into those of the run, for whoever watches."""

    def __init__(
        self, plans: Sequence[PhasePlan], watcher: StepWatcher, timed: Callable[[float], None]
    ) -> None:
        """`timed` is called once with the hours that the run will take, when TIMED_STEPS steps are done."""
        self._plans, self._watcher, self._tell_hours = plans, watcher, timed
        self._steps = sum(plan.steps for plan in plans)
        self._plan = plans[0]
        self._first: tuple[float, int] | None = None
        self._first_step = 0
        self._base = self._tokens = self._timed = 0
        #: Tokens per second over the timed steps; null before there are any.
        self.speed: float | None = None

    def before(self, plan: PhasePlan) -> int:
        """Steps of the phases before this one."""
        return sum(other.steps for other in self._plans if other.number < plan.number)

    def begins(self, plan: PhasePlan, checkpoint: Path | None) -> None:
        """A phase begins, or goes on from a checkpoint."""
        self._plan, self._base = plan, -1
        step = step_of(checkpoint) if checkpoint else 0
        done = self.before(plan) + step
        if done and self._first is None:
            self._watcher.noted(f"Going on after step {done} of {self._steps}, in phase {plan.name}.")

    def stepped(self, step: Step, tokens: int) -> None:
        """A step of the running phase; `tokens` counts from the phase's beginning."""
        now, number = time.perf_counter(), self.before(self._plan) + step.step
        if self._base < 0:  # the first step of a phase in this process warms things up and is not timed
            self._base = tokens
        else:
            self._tokens += tokens - self._base
            self._timed += 1
            self._base = tokens
        if self._first is None:
            self._first, self._first_step = (now, number), number
        seconds = now - self._first[0]
        self.speed = self._tokens / seconds if seconds > 0 else None
        self._watcher.stepped(
            StepDone(
                phase=self._plan.number,
                phase_name=self._plan.name,
                step=number,
                steps=self._steps,
                first_step=self._first_step,
                loss=step.loss,
                learning_rate=step.learning_rate,
                seconds=seconds,
                tokens=self._tokens,
            )
        )
        if self._timed == TIMED_STEPS - 1 and number - self._first_step == self._timed:
            left = self._steps - number
            hours = seconds / self._timed * (left + TIMED_STEPS) / 3600
            self._tell_hours(hours)
