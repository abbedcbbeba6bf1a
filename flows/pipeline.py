"""The stages of a build, in their order: for each the step (what it is) and the task (how Prefect runs it)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from schemas.errors import UsageError
from schemas.settings import BuildSettings
from schemas.summary import StageSummary
from tasks.assembling import ASSEMBLE, assemble_examples
from tasks.deduplication import DEDUP, deduplicate_examples
from tasks.filtering import FILTER, filter_messages
from tasks.labelling import LABEL, label_examples
from tasks.lora_training import LORA_TRAINING, TRAIN_LORA, train_adapter
from tasks.nova_training import NOVA_TRAINING, TRAIN_TRIBAL, train_nova
from tasks.parsing import PARSE, parse_exports
from tasks.publishing import MIX, mix_corpus
from tasks.reconciling import RECONCILE, reconcile_exports
from tasks.running import Step
from tasks.scoring import SCORE, score_messages
from tasks.training import Training
from tasks.training_kinds import KINDS, LORA, NOVA


class StageTask(NamedTuple):
    """A stage in the pipeline."""

    step: Step
    task: Callable[..., StageSummary]


PIPELINE: tuple[StageTask, ...] = (
    StageTask(PARSE, parse_exports),
    StageTask(RECONCILE, reconcile_exports),
    StageTask(SCORE, score_messages),
    StageTask(FILTER, filter_messages),
    StageTask(ASSEMBLE, assemble_examples),
    StageTask(DEDUP, deduplicate_examples),
    StageTask(LABEL, label_examples),
    StageTask(MIX, mix_corpus),
    StageTask(TRAIN_LORA, train_adapter),
    StageTask(TRAIN_TRIBAL, train_nova),
)

#: The trainings among them, by stage: none reads what another made.
TRAININGS: dict[str, Training] = {LORA.stage: LORA_TRAINING, NOVA.stage: NOVA_TRAINING}


def pipeline_for(settings: BuildSettings, until: str | None = None) -> tuple[StageTask, ...]:
    """The stages that these settings ask for, up to `until` (None: all). Trainings are the last, when they are wanted;
    up to one of them the other is not run.

    Raises UsageError when `until` is none of them.
    """
    unwanted = {kind.stage for kind in KINDS if getattr(settings.train, kind.what) is None}
    wanted = tuple(stage for stage in PIPELINE if stage.step.name not in unwanted)
    names = [step.name for step, _ in wanted]
    if until is None:
        return wanted
    if until not in names:
        asked = next(kind for kind in KINDS if kind.stage == until)
        fix = f"Ask for it: `--set train.{asked.what}={asked.default}`."
        raise UsageError(f"this build has no stage {until}", fix=fix)
    upstream = wanted[: names.index(until)]
    return (
        *(stage for stage in upstream if stage.step.name not in TRAININGS),
        wanted[names.index(until)],
    )


def task_of(stage: str) -> Callable[..., StageSummary]:
    """The task that runs a stage."""
    return next(task for step, task in PIPELINE if step.name == stage)
