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
from tasks.parsing import PARSE, parse_exports
from tasks.publishing import MIX, mix_corpus
from tasks.reconciling import RECONCILE, reconcile_exports
from tasks.running import Run, Step
from tasks.scoring import SCORE, score_messages
from tasks.training import TRAIN_LORA, train_adapter


class StageTask(NamedTuple):
    """A stage in the pipeline."""

    step: Step
    task: Callable[[Run], StageSummary]


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
)


def pipeline_for(settings: BuildSettings, until: str | None = None) -> tuple[StageTask, ...]:
    """The stages that these settings ask for, up to `until` (None: all). Training is the last, when it is wanted.

    Raises UsageError when `until` is none of them.
    """
    wanted = PIPELINE if settings.train.lora else PIPELINE[:-1]
    names = [step.name for step, _ in wanted]
    if until is not None and until not in names:
        raise UsageError(f"this build has no stage {until}", fix="Ask for it: `--set train.lora=demo`.")
    return wanted if until is None else wanted[: names.index(until) + 1]
