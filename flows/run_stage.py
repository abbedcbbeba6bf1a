"""The flow `run-stage`: one stage of a planned build again; everything upstream that stands is reused."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.building import run_stages
from flows.planning import open_build
from storage.home import open_home
from tasks.accounts import BuildReport


@flow(name="run-stage", persist_result=False)
def run_stage(planned: str, home: str | None = None, workers: int | None = None) -> BuildReport:
    """Make the last stage of a plan stand; what it needs and does not stand yet is computed first.

    Args:
        planned: The build, as it was planned: up to the stage that is asked for.
        home: The home folder; the default is VATRA_HOME.
        workers: Processes for the row stages; the default is one per core.
    """
    return run_stages(open_build(open_home(Path(home) if home else None), planned, workers))
