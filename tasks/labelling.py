"""Label: the category of each example: declared by its source, shown by its structure, classified, or unassigned."""

from __future__ import annotations

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.labels import LinearClassifier, builtin_digest, open_classifier
from schemas.settings import LabelStageSettings
from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.labels import label_part
from tasks.running import Run, Step, perform, rows_of


def label_settings(run: Run) -> LabelStageSettings:
    """What the label stage may know. Without a classifier its threshold decides nothing and is left out."""
    label = run.settings.label
    if label.classifier == "none":
        return LabelStageSettings(classifier="none")
    return LabelStageSettings(**label.model_dump(), classifier_digest=builtin_digest())


def open_for(settings: LabelStageSettings, context: Any) -> LinearClassifier | None:
    """The classifier that the settings name, once per process. Raises MissingModel when it is damaged."""
    return None if settings.classifier == "none" else open_classifier()


LABEL = Step(
    stage=Stage(
        "label",
        version=1,
        kind="row",
        unit="examples",
        function=label_part,
        libraries=("polars",),
        resource=open_for,
    ),
    settings=label_settings,
    reads={"examples": "assemble"},
    rows_in=rows_of("examples", "assemble"),
)


@task(name="label", cache_policy=NO_CACHE, persist_result=False)
def label_examples(run: Run) -> StageSummary:
    """Give every example its category, and say how it came by it."""
    return perform(LABEL, run)
