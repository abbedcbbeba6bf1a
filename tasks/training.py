"""Train LoRA: an adapter learned from the build's corpus."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.lora import LIBRARIES, StepDone, Watcher, base_identity, train_lora
from schemas.settings import LoraSettings
from schemas.settings.loading import load_lora_preset
from schemas.summary import PartCounts, StageSummary
from schemas.tables import SPLITS
from storage.artifacts import artifact_folder, make_artifact, working_folder
from storage.crashes import bugs_kept_private
from storage.datasets import verify
from storage.stages import Stage
from tasks.progress import listener
from tasks.running import Run, Step


def lora_settings(run: Run) -> LoraSettings:
    """The contents of the preset that the settings name."""
    name = run.settings.train.lora
    if name is None:
        raise AssertionError("no training was asked for")
    preset = load_lora_preset(name)
    return LoraSettings(preset=preset, base=base_identity(preset, run.home.cache))


TRAIN_LORA = Step(
    stage=Stage(
        "train-lora", version=2, kind="corpus", unit="examples", function=train_lora, libraries=LIBRARIES
    ),
    settings=lora_settings,
    reads=dict.fromkeys(SPLITS, "mix"),
)


@task(name="train-lora", cache_policy=NO_CACHE, persist_result=False)
def train_adapter(run: Run) -> StageSummary:
    """Train the adapter that the settings ask for; it stands under `artifacts/train-lora/`."""
    name, begun = TRAIN_LORA.name, time.monotonic()
    listener().started(name)
    mark = run.record.stages[name]
    with bugs_kept_private(), working_folder(run.store, name, mark) as work:
        account, cached = make_artifact(run.store, name, mark, lambda out: _train(run, out, work))
    summary = summarise_training(run, account, cached, time.monotonic() - begun)
    listener().finished(summary)
    return summary


def summarise_training(run: Run, account: dict[str, Any], cached: bool, seconds: float) -> StageSummary:
    """The stage's line in the build's summary, from what the training said of itself."""
    return StageSummary(
        stage=TRAIN_LORA.name,
        fingerprint=run.record.stages[TRAIN_LORA.name],
        cached=cached,
        parts=PartCounts(computed=int(not cached), reused=int(cached)),
        unit="examples",
        rows_in=run.dataset("mix").rows("train"),
        rows_out=account["examples"],
        set_aside={reason: count for reason, count in account["examples_set_aside"].items() if count},
        seconds=round(seconds, 3),
    )


def adapter_folder(run: Run) -> Path:
    """Where the run's adapter stands."""
    return Path(run.store.full(artifact_folder(TRAIN_LORA.name, run.record.stages[TRAIN_LORA.name])))


class _Told(Watcher):
    """Passes steps on to whoever listens to stages."""

    def stepped(self, step: StepDone) -> None:
        listener().advanced(TRAIN_LORA.name, step.step, step.steps)


def _train(run: Run, out: Path, work: Path) -> dict[str, Any]:
    corpus = run.dataset("mix")
    for file in (file for split in SPLITS for file in corpus.files(split)):
        verify(run.store, file)  # the trainer opens the shards by itself
    shards = {split: [Path(run.store.full(file.path)) for file in corpus.files(split)] for split in SPLITS}
    result = train_lora(
        lora_settings(run).preset,
        {split: paths for split, paths in shards.items() if paths},
        out,
        work=work,
        cache=run.home.cache,
        watcher=_Told(),
    )
    return result.model_dump(mode="json")
