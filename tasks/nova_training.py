"""Train tribal: a NOVA learned from the build's corpus, its card, its lineage, its page and its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.training.tracking import open_tracker
from models.tribal import LIBRARIES, train_tribal
from schemas.settings import TribalPreset, TribalSettings
from schemas.settings.loading import load_tribal_preset
from schemas.summary import StageSummary
from schemas.tables import SPLITS
from storage.stages import Stage
from tasks.described_nova import describe_nova
from tasks.nova_log import NovaLog
from tasks.nova_page import nova_view, write_nova_page
from tasks.running import Run, Step
from tasks.training import (
    Training,
    corpus_shards,
    logs_folder,
    perform_training,
    preset_named,
    trained_folder,
)
from tasks.training_kinds import NOVA
from tasks.training_log import notes_on_steps


def tribal_preset(run: Run) -> TribalPreset:
    """The contents of the preset that the settings name, with their changes. Raises SettingsError."""
    return load_tribal_preset(*preset_named(NOVA, run))


TRAIN_TRIBAL = Step(
    stage=Stage(
        NOVA.stage, version=2, kind="corpus", unit="examples", function=train_tribal, libraries=LIBRARIES
    ),
    settings=lambda run: TribalSettings(preset=tribal_preset(run)),
    reads=dict.fromkeys(SPLITS, "mix"),
)


@task(name=NOVA.stage, cache_policy=NO_CACHE, persist_result=False)
def train_nova(
    run: Run, name: str | None = None, overwrite: bool = False, track: str | None = None
) -> StageSummary:
    """Train the NOVA that the settings ask for, as `perform_training` says."""
    return perform_training(NOVA_TRAINING, run, name, overwrite, track)


def report_nova(run: Run, name: str, account: dict[str, Any]) -> Path:
    """Write the page of a run whose NOVA stands; returns its path."""
    mark = run.record.stages[NOVA.stage]
    return write_nova_page(run.home, nova_view(run.home, name, mark, account, trained_folder(NOVA, run)))


def _train(run: Run, out: Path, work: Path, name: str, track: str | None) -> dict[str, Any]:
    preset, logs = tribal_preset(run), logs_folder(NOVA, run)
    watcher = NovaLog(NOVA.stage, logs, None if track is None else open_tracker(track, logs, name))
    for note in notes_on_steps(NOVA, *preset_named(NOVA, run)):
        watcher.noted(note)
    result = train_tribal(preset, corpus_shards(run), out, work=work, watcher=watcher)
    account = result.model_dump(mode="json")
    describe_nova(run, preset, account, out, name)
    return account


NOVA_TRAINING = Training(NOVA, TRAIN_TRIBAL, load_tribal_preset, _train, report_nova)
