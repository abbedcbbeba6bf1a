"""What a LoRA run writes down before its first step, and what is told of its preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.lora import Preflight, Watcher
from schemas.settings import LoraPreset
from tasks.progress import listener
from tasks.reports.templates import tell_time
from tasks.training_kinds import LORA
from tasks.training_log import PREFLIGHT, RunLog, notes_on_steps, tell_bytes


class LoraLog(RunLog, Watcher):
    """A run's log that also holds its preflight."""

    def planned(self, preflight: Preflight) -> None:
        """Before the first step, and once more when the hours are known."""
        self.write(PREFLIGHT, preflight.model_dump(mode="json"))
        needs = f"about {tell_bytes(preflight.memory.total)} of memory on {preflight.device}"
        if preflight.hours is None:
            listener().noted(self.stage, f"{preflight.steps:,} steps with {preflight.backend}, {needs}")
            if short := tell_shortfall(preflight):
                self.noted(short)
        else:
            listener().noted(self.stage, f"about {tell_time(preflight.hours * 3600)} in all")


def tell_shortfall(plan: Preflight) -> str | None:
    """What the steps of a run will not come to; None when it reads everything."""
    left = sum(phase.windows_not_reached for phase in plan.phases)
    if not left:
        return None
    whole = sum(phase.windows for phase in plan.phases)
    examples = plan.examples + plan.examples_not_reached
    return (
        f"Not everything is read: {left:,} of {whole:,} windows are not, and nothing of "
        f"{plan.examples_not_reached:,} of {examples:,} examples, for max_steps (or less than an epoch) ends it before."
    )


def notes_on(name: str, changes: Mapping[str, Any], preset: LoraPreset) -> list[str]:
    """What a person should know of a preset before its run begins."""
    told = notes_on_steps(LORA, name, changes)
    if preset.role_names:
        names = " and ".join(preset.role_names[role] for role in ("user", "assistant"))
        told.append(
            f"The names {names} stand in place of the base's own chat format: the adapter answers well only "
            "to conversations that are written in this way."
        )
    return told
