"""The flow `train-lora`: an adapter from exactly one corpus, named by its fingerprint.

The command `vatra train lora`, the deployment `train-lora/adhoc` and the last step of a build plan the same run and
call the same task. `hand_over` is how a build ends when the home's worker is there: training becomes a run of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect import flow
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment

from flows.outcomes import outcome
from flows.processes import record_process
from flows.services import worker_is_up
from schemas.errors import StoreError, UsageError
from schemas.manifest import BuildRecord
from schemas.settings import BuildSettings, TrainSettings
from schemas.settings.changes import PresetChanges, preset_changes
from schemas.settings.loading import load_lora_preset
from schemas.settings.presets import ModelPresetName, is_preset_file
from schemas.summary import StageSummary
from storage.artifacts import find_artifact
from storage.catalog import list_builds, new_build_id, read_build, settings_of
from storage.home import Home, open_home
from tasks.corpora import open_corpus
from tasks.running import Run, plan_fingerprint
from tasks.training import TRAIN_LORA, adapter_folder, default_name, train_adapter

DEPLOYMENT = "train-lora/adhoc"

# The form shows every field of a preset; to mypy they are all one model.
if TYPE_CHECKING:
    GivenChanges = PresetChanges
else:
    GivenChanges = preset_changes()


@flow(name="train-lora", persist_result=False)
def train_lora(
    corpus: str,
    preset: ModelPresetName = ModelPresetName("demo"),  # noqa: B008 - a string
    changes: GivenChanges = GivenChanges(),  # noqa: B008 - frozen
    name: str | None = None,
    overwrite: bool = False,
) -> State[Any]:
    """Train a LoRA adapter from a corpus.

    Args:
        corpus: The fingerprint of the corpus, as a build prints it: the name of its folder under datasets/mix.
        preset: What is trained, and how: a preset of vatra, or the full path of a YAML file.
        changes: What shall be different from the preset, like {"epochs": 2, "batch_size": 1}.
        name: What the adapter is called; empty: the preset and the beginning of its fingerprint.
        overwrite: Move the name when another run has it.
    """
    return outcome(lambda: _tell(open_home(), corpus, preset, changes.given(), name, overwrite))


@flow(name="train-lora", persist_result=False)
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
    """The same, in the process of the command line; `preset` may also be the path of a YAML file."""
    record_process()
    run = plan_training(open_home(Path(home)), corpus, preset, changes, build)
    summary: StageSummary = train_adapter(run, name, overwrite, track)
    return summary


def plan_training(
    home: Home, corpus: str, preset: str, changes: Mapping[str, Any] | None = None, build: str | None = None
) -> Run:
    """A run of the training alone, over a corpus that stands. Raises UsageError, SettingsError, StoreError.

    The adapter's card tells what the corpus was made from: as `build` did, or else the newest build that has it.
    """
    open_corpus(home, corpus)
    record, before = _made_by(home, corpus, [build] if build else list_builds(home.store))
    wanted = TrainSettings(lora=preset, lora_changes=dict(changes or {}))
    settings = before.model_copy(update={"train": wanted})
    upstream = {name: mark for name, mark in record.stages.items() if name != TRAIN_LORA.name}
    values = {"settings": settings.model_dump(mode="json"), "stages": upstream}
    record = record.model_copy(update=values)
    run = Run(home, record, settings)
    stages = {**upstream, TRAIN_LORA.name: plan_fingerprint(TRAIN_LORA, run)}
    return Run(home, record.model_copy(update={"stages": stages}), settings)


def hand_over(run: Run) -> str | None:
    """Start `train-lora/adhoc` on the corpus of a build; returns the flow run's name.

    None when there is no worker of this home to train, or when the adapter stands already: then it is the build's
    own last step.
    """
    preset = run.settings.train.lora
    stands = find_artifact(run.store, TRAIN_LORA.name, run.record.stages[TRAIN_LORA.name])
    if preset is None or stands or not worker_is_up(run.home):
        return None
    if is_preset_file(preset):  # the worker stands in another folder
        preset = str(Path(preset).expanduser().resolve())
    parameters: dict[str, Any] = {"corpus": run.record.stages["mix"], "preset": preset}
    if changes := run.settings.train.lora_changes:
        parameters["changes"] = {name: _as_in_form(value) for name, value in changes.items()}
    started = cast(
        FlowRun,
        run_deployment(
            DEPLOYMENT,
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


def _tell(
    home: Home, corpus: str, preset: str, changes: Mapping[str, Any], name: str | None, overwrite: bool
) -> str:
    if is_preset_file(preset) and not Path(preset).is_absolute():
        raise UsageError("the preset's file needs its full path", where=preset)
    load_lora_preset(preset, changes)  # before anything is looked for: what is wrong with it is said first
    run = plan_training(home, corpus, preset, changes)
    summary = train_adapter(run, name, overwrite)
    done = "stood already" if summary.cached else f"trained from {summary.rows_out:,} examples"
    return f"The adapter {name or default_name(run)} {done}: {adapter_folder(run)}"
