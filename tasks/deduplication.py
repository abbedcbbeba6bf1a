"""Dedup: examples that say the same, and the one of them that is kept."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.dedup import find_duplicates
from tasks.running import Run, Step, perform, rows_of

DEDUP = Step(
    stage=Stage(
        "dedup",
        version=2,
        kind="corpus",
        unit="examples",
        function=find_duplicates,
        libraries=("daft", "polars"),
    ),
    settings=lambda run: run.settings.dedup,
    reads={"examples": "assemble"},
    rows_in=rows_of("examples", "assemble"),
)


@task(name="dedup", cache_policy=NO_CACHE, persist_result=False)
def deduplicate_examples(run: Run) -> StageSummary:
    """Find clusters of examples that say the same and name each cluster's keeper."""
    return perform(DEDUP, run)
