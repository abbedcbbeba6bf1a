"""Runs the phases in order on one adapter, from wherever an earlier process of the same run came to.

Every phase begins with a freshly loaded base and the adapter that the phase before left on disk, so that a run that was
killed between two phases goes on with exactly what a straight run has.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora.backends import open_model
from models.lora.job import Job
from models.lora.proof import AdapterShape, check_adapter
from models.lora.training import make_trainer, mean_loss
from models.lora.watching import Watcher
from models.training.checkpoints import newest_checkpoint, read_seal, seal, write_whole
from models.training.device import release_memory
from models.training.halving import train_within_memory
from models.training.pace import Pace
from models.training.schedule import Batch, PhasePlan, wanted_batch
from models.training.steps import run_phase
from models.training.stopping import TrainingStopped, Wish, stop_kindly
from schemas.ids import canonical_json

_ADVICE = (
    "In the model preset, lower max_length, set gradient_checkpointing: true or quantization: nf4, or take a "
    "smaller base."
)


@dataclass(frozen=True)
class PhaseRecord:
    """A finished phase: (step, loss, learning rate) of every step, and the validation losses."""

    plan: PhasePlan
    batch: Batch
    steps: tuple[tuple[int, float, float], ...]
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Trained:
    """The trained model, in memory, and the account of how it came about."""

    model: Any
    shape: AdapterShape
    phases: tuple[PhaseRecord, ...]
    out_of_memory: int
    tokens_per_second: float | None


def train_phases(job: Job, watcher: Watcher) -> Trained:
    """Train what is left to train. Out of memory, once: half the batch, twice the accumulation, and on.

    Raises StageFailed (out of memory again, a loss that is no number), TrainingStopped.
    """
    with stop_kindly(watcher.stopping) as wish:
        return train_within_memory(
            lambda batch, failures: _run_all(job, batch, failures, wish, watcher),
            job.work,
            wanted_batch(job.preset),
            watcher,
            _ADVICE,
        )


def _run_all(job: Job, batch: Batch, failures: int, wish: Wish, watcher: Watcher) -> Trained:
    model, adapter, records = None, None, []
    pace = Pace(
        job.plans, watcher, lambda hours: watcher.planned(job.preflight.model_copy(update={"hours": hours}))
    )
    for plan in job.plans:
        folder = job.work / f"phase-{plan.number}"
        account = read_seal(folder / "done")
        if account is None and plan.steps:
            model = None  # of the phase before: never two at once
            release_memory()
            model, account = _run_one(job, plan, batch, folder, adapter, wish, pace)
        if account is not None:
            adapter = folder / "done" / "adapter"
        records.append(_record(plan, account, batch))
    if model is None:
        model = open_model(job.backend, job.preset, job.base, adapter)
    return Trained(model, check_adapter(model, job.preset), tuple(records), failures, pace.speed)


def _run_one(
    job: Job, plan: PhasePlan, batch: Batch, folder: Path, adapter: Path | None, wish: Wish, pace: Pace
) -> tuple[Any, dict[str, Any]]:
    folder.mkdir(parents=True, exist_ok=True)
    model = open_model(job.backend, job.preset, job.base, adapter)
    check_adapter(model, job.preset)
    trainer = make_trainer(model, job.tokenizer, job.preset, plan, batch, job.rows[plan.number - 1], folder)
    windows = job.validation.phase(plan.number)
    before = _measured_before(folder, trainer, windows)
    pace.begins(plan, newest_checkpoint(folder))
    try:
        steps = run_phase(trainer, plan, folder, wish, pace.stepped)
    except TrainingStopped as stopped:
        raise TrainingStopped(pace.before(plan) + stopped.step, job.preflight.steps) from None
    values = [[step.step, step.loss, step.learning_rate] for step in steps]
    account = {
        "steps": values, "before": before, "after": mean_loss(trainer, windows),
        "batch": [batch.size, batch.accumulation],
    }  # fmt: skip
    done = folder / "done"
    shutil.rmtree(done, ignore_errors=True)
    trainer.model.save_pretrained(done / "adapter", save_embedding_layers=False)
    seal(done, account)
    for checkpoint in folder.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)
    return trainer.model, account


def _measured_before(folder: Path, trainer: Any, windows: Any | None) -> float | None:
    """The validation loss at the phase's beginning, measured once however often the phase is taken up again."""
    path = folder / "begun.json"
    try:
        kept: dict[str, float | None] = json.loads(path.read_bytes())
        return kept["before"]
    except (OSError, ValueError, KeyError):
        before = mean_loss(trainer, windows)
        write_whole(path, canonical_json({"before": before}))
        return before


def _record(plan: PhasePlan, account: dict[str, Any] | None, batch: Batch) -> PhaseRecord:
    if account is None:
        return PhaseRecord(plan, batch, (), None, None)
    steps = tuple((int(step), float(loss), float(rate)) for step, loss, rate in account["steps"])
    return PhaseRecord(plan, Batch(*account["batch"]), steps, account["before"], account["after"])
