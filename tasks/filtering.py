"""Filter: signals and thresholds in; one verdict per message, with reason and evidence, out."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.rules import judge_part
from tasks.running import Run, Step, perform, rows_of

FILTER = Step(
    stage=Stage("filter", version=1, kind="row", unit="messages", function=judge_part),
    settings=lambda run: run.settings.for_filter(),
    reads={"messages": "parse", "conversations": "parse", "signals": "score", "standing": "reconcile"},
    rows_in=rows_of("messages", "parse"),
)


@task(name="filter", cache_policy=NO_CACHE, persist_result=False)
def filter_messages(run: Run) -> StageSummary:
    """Compare signals with thresholds: keep, mask or drop every message, and say why."""
    return perform(FILTER, run)
