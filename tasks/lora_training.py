"""Train LoRA: an adapter learned from the build's corpus, its card, its lineage, its page and its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.lora import LIBRARIES, base_identity, train_lora
from models.training.tracking import open_tracker
from schemas.settings import LoraPreset, LoraSettings
from schemas.settings.loading import load_lora_preset
from schemas.summary import StageSummary
from schemas.tables import SPLITS
from storage.stages import Stage
from tasks.lora_log import LoraLog, notes_on
from tasks.running import Run, Step
from tasks.trained import describe
from tasks.training import (
    Training,
    corpus_shards,
    logs_folder,
    perform_training,
    preset_named,
    trained_folder,
)
from tasks.training_kinds import LORA
from tasks.training_page import run_view, write_training_page


def lora_preset(run: Run) -> LoraPreset:
    """The contents of the preset that the settings name, with their changes. Raises SettingsError."""
    return load_lora_preset(*preset_named(LORA, run))


def lora_settings(run: Run) -> LoraSettings:
    """What the stage may know: the preset's contents, and which base that is on this machine."""
    preset = lora_preset(run)
    return LoraSettings(preset=preset, base=base_identity(preset, run.home.cache))


TRAIN_LORA = Step(
    stage=Stage(
        LORA.stage, version=3, kind="corpus", unit="examples", function=train_lora, libraries=LIBRARIES
    ),
    settings=lora_settings,
    reads=dict.fromkeys(SPLITS, "mix"),
)


@task(name=LORA.stage, cache_policy=NO_CACHE, persist_result=False)
def train_adapter(
    run: Run, name: str | None = None, overwrite: bool = False, track: str | None = None
) -> StageSummary:
    """Train the adapter that the settings ask for, as `perform_training` says."""
    return perform_training(LORA_TRAINING, run, name, overwrite, track)


def report_adapter(run: Run, name: str, account: dict[str, Any]) -> Path:
    """Write the page of a run whose adapter stands; returns its path."""
    mark = run.record.stages[LORA.stage]
    return write_training_page(run.home, run_view(run.home, name, mark, account, trained_folder(LORA, run)))


def _train(run: Run, out: Path, work: Path, name: str, track: str | None) -> dict[str, Any]:
    (named, changes), preset, logs = preset_named(LORA, run), lora_preset(run), logs_folder(LORA, run)
    watcher = LoraLog(LORA.stage, logs, None if track is None else open_tracker(track, logs, name))
    for note in notes_on(named, changes, preset):
        watcher.noted(note)
    result = train_lora(preset, corpus_shards(run), out, work=work, cache=run.home.cache, watcher=watcher)
    account = result.model_dump(mode="json")
    describe(run, preset, account, out, name)
    return account


LORA_TRAINING = Training(LORA, TRAIN_LORA, load_lora_preset, _train, report_adapter)
