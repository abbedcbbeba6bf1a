"""Label: the category of each example: declared by its source, shown by its structure, or unassigned."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.labels import label_part
from tasks.running import Run, Step, perform, rows_of

LABEL = Step(
    stage=Stage("label", version=1, kind="row", unit="examples", function=label_part),
    settings=lambda run: run.settings.label,
    reads={"examples": "assemble"},
    rows_in=rows_of("examples", "assemble"),
)


@task(name="label", cache_policy=NO_CACHE, persist_result=False)
def label_examples(run: Run) -> StageSummary:
    """Give every example its category, and say how it came by it."""
    return perform(LABEL, run)
