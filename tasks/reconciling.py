"""Reconcile: of the copies of a conversation in overlapping exports, the newest counts."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.settings import ReconcileSettings
from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.reconciliation import reconcile
from tasks.running import Run, Step, perform, rows_of

RECONCILE = Step(
    stage=Stage("reconcile", version=1, kind="corpus", unit="conversations", function=reconcile),
    settings=lambda run: ReconcileSettings(),
    reads={"conversations": "parse"},
    rows_in=rows_of("conversations", "parse"),
)


@task(name="reconcile", cache_policy=NO_CACHE, persist_result=False)
def reconcile_exports(run: Run) -> StageSummary:
    """Say of each conversation whether it is current, or superseded by a newer copy."""
    return perform(RECONCILE, run)
