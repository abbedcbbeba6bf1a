"""What the flows of both trainings share: planned over a corpus that stands, run, told, or handed over to the worker.

The command `vatra train`, the deployments `train-lora/adhoc` and `train-tribal/adhoc`, and the last steps of a build
plan the same run and call the same task. `hand_over` is how a build ends when the home's worker is there: training
becomes a run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from prefect import Flow, flow
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment

from flows.pipeline import TRAININGS, task_of
from flows.processes import record_process
from flows.services import worker_is_up
from schemas.errors import StoreError, UsageError
from schemas.manifest import BuildRecord
from schemas.settings import BuildSettings, TrainSettings
from schemas.settings.presets import is_preset_file
from schemas.summary import StageSummary
from storage.catalog import list_builds, new_build_id, read_build, settings_of
from storage.home import Home, open_home
from tasks.corpora import open_corpus
from tasks.running import Run, plan_fingerprint
from tasks.training import default_name, preset_named, trained_account, trained_folder
from tasks.training_kinds import TrainingKind


def flow_here(kind: TrainingKind) -> Flow[Any, StageSummary]:
    """The flow of a training in the process of the command line; its `preset` may also be the path of a YAML file."""

    def train_here(
        corpus: str,
        preset: str,
        changes: dict[str, Any],
        name: str | None,
        overwrite: bool,
        home: str,
        track: str | None = None,
        build: str | None = None,
    ) -> StageSummary:
        record_process()
        run = plan_training(kind, open_home(Path(home)), corpus, preset, changes, build)
        return task_of(kind.stage)(run, name, overwrite, track)

    return flow(name=kind.stage, persist_result=False)(train_here)


def plan_training(
    kind: TrainingKind,
    home: Home,
    corpus: str,
    preset: str,
    changes: Mapping[str, Any] | None = None,
    build: str | None = None,
) -> Run:
    """A run of the training alone, over a corpus that stands. Raises UsageError, SettingsError, StoreError.

    The card tells what the corpus was made from: as `build` did, or else the newest build that has it.
    """
    open_corpus(home, corpus)
    record, before = _made_by(home, corpus, [build] if build else list_builds(home.store))
    wanted = TrainSettings.model_validate({kind.what: preset, f"{kind.what}_changes": dict(changes or {})})
    settings = before.model_copy(update={"train": wanted})
    upstream = {name: mark for name, mark in record.stages.items() if name not in TRAININGS}
    values = {"settings": settings.model_dump(mode="json"), "stages": upstream}
    record = record.model_copy(update=values)
    run = Run(home, record, settings)
    stages = {**upstream, kind.stage: plan_fingerprint(TRAININGS[kind.stage].step, run)}
    return Run(home, record.model_copy(update={"stages": stages}), settings)


def train_as_asked(
    kind: TrainingKind,
    corpus: str,
    preset: str,
    changes: Mapping[str, Any],
    name: str | None,
    overwrite: bool,
) -> str:
    """What a deployment does, and the line that it ends with. Raises VatraError."""
    home = open_home()
    if is_preset_file(preset) and not Path(preset).is_absolute():
        raise UsageError("the preset's file needs its full path", where=preset)
    TRAININGS[kind.stage].load(preset, changes)  # before anything is looked for: what is wrong is said first
    run = plan_training(kind, home, corpus, preset, changes)
    summary = task_of(kind.stage)(run, name, overwrite)
    done = "stood already" if summary.cached else f"trained from {summary.rows_out:,} examples"
    return f"The {kind.word} {name or default_name(kind, run)} {done}: {trained_folder(kind, run)}"


def hand_over(kind: TrainingKind, run: Run) -> str | None:
    """Start the training's deployment on the corpus of a build; returns the flow run's name.

    None when there is no worker of this home to train, or when the artifact stands already: then it is the build's
    own last step.
    """
    if trained_account(kind, run) is not None or not worker_is_up(run.home):
        return None
    preset, changes = preset_named(kind, run)
    if is_preset_file(preset):  # the worker stands in another folder
        preset = str(Path(preset).expanduser().resolve())
    parameters: dict[str, Any] = {"corpus": run.record.stages["mix"], "preset": preset}
    if changes:
        parameters["changes"] = {name: _as_in_form(value) for name, value in changes.items()}
    started = cast(
        FlowRun,
        run_deployment(
            f"{kind.stage}/adhoc",
            parameters=parameters,
            tags=[f"build:{run.record.build}"],
            timeout=0,
            as_subflow=False,
        ),
    )
    return started.name


def _as_in_form(value: Any) -> Any:
    """A switch in a form is a choice of two words."""
    return ("off", "on")[value] if isinstance(value, bool) else value


def _made_by(home: Home, corpus: str, builds: Sequence[str]) -> tuple[BuildRecord, BuildSettings]:
    """The first of the builds that has the corpus; where none has, a record that knows only its fingerprint."""
    for build in builds:
        try:
            record = read_build(home.store, build)
            if record.stages.get("mix") == corpus:
                return record, settings_of(record)
        except StoreError:  # a damaged plan, or one of another version: its build cannot be told
            continue
    now = datetime.now(UTC)
    settings = BuildSettings()
    record = BuildRecord(
        build=new_build_id(now),
        created=now.isoformat(timespec="seconds"),
        parent=None,
        settings=settings.model_dump(mode="json"),
        inputs=(),
        skipped=(),
        stages={"mix": corpus},
    )
    return record, settings
