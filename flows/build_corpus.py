"""The flow `build-corpus`: from exported chats to a validated corpus, and an adapter when the settings ask for it.

Two functions, one flow: `build_corpus` is what a deployment's form shows and a worker runs; `build_here` is what the
command line runs in its own process, over a build that it planned already.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State

from flows.building import run_stages, tell
from flows.inbox import inbox_notes, take_inbox, taken_exports
from flows.outcomes import outcome
from flows.planning import open_build, plan_build
from flows.processes import record_process
from schemas.errors import UsageError, VatraError
from schemas.files import expanded
from schemas.settings import BuildSettings
from schemas.settings.loading import layer_settings
from schemas.settings.presets import BuildPresetName
from storage.home import Home, open_home
from tasks.accounts import BuildReport
from tasks.notifying import notify_of_build


@flow(name="build-corpus", persist_result=False)
def build_corpus(
    paths: list[str] = [],  # noqa: B006 - Prefect copies it
    sources: str = "",
    inbox: bool = False,
    preset: BuildPresetName = BuildPresetName("default"),  # noqa: B008 - a string
    settings: BuildSettings = BuildSettings(),  # noqa: B008 - frozen
) -> State[Any]:
    """Build a training corpus from chat exports.

    Args:
        paths: Files, folders or zips with exported chats: full paths on this machine. Needed unless inbox is on or
            there are sources.
        sources: A YAML file of sources, by its full path: data sets, folders and narratives, and how each is read
            (docs/sources.md).
        inbox: Take what lies in the inbox folder of the home, too.
        preset: Settings to start from: a preset of a build, or a mixture (ada, emergent, personal). A setting below
            that differs from its default wins over the preset.
        settings: What is kept, masked and dropped, how the corpus is mixed, whether an adapter is trained.
    """
    return outcome(lambda: _build(paths, sources, inbox, preset, settings))


def _build(paths: list[str], sources: str, inbox: bool, preset: str, settings: BuildSettings) -> str:
    home, chosen = open_home(), _with_file(layer_settings(preset, settings), sources)
    with _refusals_told(home, chosen):
        given = [_existing(path) for path in paths]
        found = take_inbox(home) if inbox else None
        given += taken_exports(home) if inbox else []
        if chosen.sources_file is not None:
            _existing(chosen.sources_file)
        declared = chosen.sources or chosen.sources_file
        if not given and not declared and found:
            return "\n".join(["There is nothing to build from.", *inbox_notes(home, found, ())])
        if not given and not declared:
            raise UsageError(
                "there is nothing to build from", fix="Name paths or sources, or switch on `inbox`."
            )
        notes = partial(inbox_notes, home, found) if found else lambda files: ()
        run = plan_build(home, given, chosen, notes=notes)
    return tell(run_stages(run))


def _with_file(settings: BuildSettings, sources: str) -> BuildSettings:
    """The settings with the file of sources that stands beside them. Raises UsageError for two files."""
    if not sources:
        return settings
    if settings.sources_file not in (None, sources):
        raise UsageError("two files of sources are named", fix="Leave settings.sources_file empty.")
    return settings.model_copy(update={"sources_file": sources})


def _existing(path: str) -> Path:
    found = expanded(path)
    if not found.is_absolute() or not os.path.lexists(found):
        raise UsageError("there is no such file or folder (a full path is needed)", where=path)
    return found


@contextmanager
def _refusals_told(home: Home, settings: BuildSettings) -> Iterator[None]:
    """When nobody is at a terminal to see that a build cannot be planned, the webhook hears of it."""
    try:
        yield
    except VatraError as error:
        notify_of_build(home, settings.notify, None, str(error))
        raise


@flow(name="build-corpus", persist_result=False)
def build_here(planned: str, home: str | None = None, workers: int | None = None) -> BuildReport:
    """Build a training corpus in this process.

    Args:
        planned: The build, as it was planned: its record in the store holds exports and settings.
        home: The home folder; the default is VATRA_HOME.
        workers: Processes for the row stages; the default is one per core.
    """
    record_process()
    return run_stages(open_build(open_home(Path(home) if home else None), planned, workers))
