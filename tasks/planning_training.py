"""The plan of a training, told before anything is trained; and how much memory each preset takes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from models.lora import Preflight, plan_run
from models.lora.known_bases import download_bytes, preset_memory
from models.training.device import free_memory
from schemas.settings import LoraPreset
from storage.home import Home
from tasks.corpora import open_corpus
from tasks.lora_log import tell_shortfall
from tasks.plans import need_lines, plan_over
from tasks.reports.templates import tell_time
from tasks.training_log import tell_bytes
from tasks.training_page import needs_told


def preflight_of(home: Home, fingerprint: str, preset: LoraPreset) -> Preflight:
    """The plan of a training on a corpus. Raises as the training itself would before its first step."""
    return plan_over(home, fingerprint, lambda shards, work: plan_run(preset, shards, work, cache=home.cache))


def preflight_lines(plan: Preflight) -> Iterator[str]:
    """The plan in lines for the terminal."""
    yield (
        f"{plan.steps:,} steps with {plan.backend} on {plan.device} over {plan.examples:,} distinct examples, "
        f"{plan.tokens:,} tokens in one pass"
    )
    if short := tell_shortfall(plan):
        yield short
    for phase in plan.phases:
        yield (
            f"  phase {phase.number} {phase.name}: {phase.examples:,} of {phase.rows:,} rows in "
            f"{phase.windows:,} windows, {phase.trained_tokens:,} of {phase.tokens:,} tokens carry loss, "
            f"{phase.steps:,} steps at {phase.learning_rate:g}"
        )
        for reason, count in phase.set_aside.items():
            yield f"    set aside: {count:,} {reason.replace('_', ' ')}"
        if phase.windows_not_reached:
            yield f"    not reached: {phase.windows_not_reached:,} windows"
    yield f"  {plan.validation_windows:,} windows to measure on"
    yield from need_lines(needs_told(plan, plan.memory, {}))
    hours = "not known before ten real steps" if plan.hours is None else tell_time(plan.hours * 3600)
    yield f"  time                 {hours}"


def rough_lines(home: Home, fingerprint: str, preset: LoraPreset) -> Iterator[str]:
    """What can be told of a training whose base is not on this machine: one asks before one downloads."""
    corpus = open_corpus(home, fingerprint)
    examples = len(corpus.column("train", ["example_id"])["example_id"].unique())
    phases = f" for {len(preset.phases)} phases" if preset.phases else ""
    yield f"{examples:,} examples in the training split{phases}; windows and steps are known when the base is there"
    device, free = free_memory()
    told = f"{tell_bytes(free)} free on {device}" if free is not None else device
    if (memory := preset_memory(preset)) is not None:
        fits = "" if free is None or memory.total <= free else ": it would not fit here"
        yield f"  memory in all        about {tell_bytes(memory.total)} on an accelerator; {told}{fits}"
    else:
        yield f"  memory in all        not known before the base is there; {told}"
    if (size := download_bytes(preset)) is not None:
        home.cache.mkdir(parents=True, exist_ok=True)
        left = shutil.disk_usage(home.cache).free
        yield f"  download             about {tell_bytes(size)}; {tell_bytes(left)} free in {home.cache}"


def preset_need(preset: LoraPreset) -> str:
    """The memory that a preset's training takes on an accelerator, in words."""
    memory = preset_memory(preset)
    return "not known before the base is there" if memory is None else f"about {tell_bytes(memory.total)}"
