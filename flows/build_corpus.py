"""The flow `build-corpus`: from exported chats to a validated corpus, and an adapter when the settings ask for it."""

from __future__ import annotations

from pathlib import Path

from prefect import flow

from flows.building import run_stages
from flows.planning import open_build, plan_build
from schemas.errors import VatraError
from schemas.settings import BuildSettings
from storage.home import Home, open_home
from tasks.accounts import BuildReport
from tasks.notifying import notify_of_build
from tasks.running import Run


@flow(name="build-corpus", persist_result=False, validate_parameters=True)
def build_corpus(
    paths: list[str],
    settings: BuildSettings = BuildSettings(),  # noqa: B008 - frozen
    home: str | None = None,
    planned: str | None = None,
    workers: int | None = None,
) -> BuildReport:
    """Build a training corpus from chat exports.

    Args:
        paths: Files, folders or zips with exported chats.
        settings: What is kept, masked and dropped, how the corpus is mixed, whether an adapter is trained.
        home: The home folder; the default is VATRA_HOME.
        planned: A build that was planned already over these paths; none: plan a new one.
        workers: Processes for the row stages; the default is one per core.
    """
    where = open_home(Path(home) if home else None)
    if planned is not None:
        run = open_build(where, planned, workers)
    else:
        run = _planned(where, [Path(path) for path in paths], settings, workers)
    return run_stages(run)


def _planned(home: Home, paths: list[Path], settings: BuildSettings, workers: int | None) -> Run:
    """A new plan; when nobody is at a terminal to see that it cannot be made, the webhook hears of it."""
    try:
        return plan_build(home, paths, settings, workers)
    except VatraError as error:
        notify_of_build(home, settings.notify, None, str(error))
        raise
