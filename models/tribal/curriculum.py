"""Fits a model to prepared data, phase by phase, from wherever an earlier process of the same run came to.

Any causal language model of the library can be fitted: one that knows no members learns from the text alone. Every
phase begins with the weights that the phase before left on disk, so that a run that was killed goes on with exactly
what a straight run has.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.training.checkpoints import SEAL, newest_checkpoint, read_seal, seal, write_whole
from models.training.device import release_memory
from models.training.halving import train_within_memory
from models.training.pace import Pace
from models.training.schedule import Batch, PhasePlan, wanted_batch
from models.training.steps import run_phase
from models.training.stopping import TrainingStopped, Wish, stop_kindly
from models.training.watching import StepWatcher
from models.tribal.batches import Collator
from models.tribal.measuring import Measurement, knows_members, measure
from models.tribal.preparing import Prepared
from models.tribal.schedule import PhaseRows, plan_phases
from schemas.ids import canonical_json

_ADVICE = (
    "In the NOVA preset, lower batch_size (and raise gradient_accumulation), max_length or the model's size."
)
_DONE, _MODEL = "done", "model"
_FIGURES = ("step", "loss", "lm_loss", "label_loss", "learning_rate")


@dataclass(frozen=True)
class Validation:
    """A measurement in a phase; step 0 is before its first."""

    step: int
    lm_loss: float
    label_loss: float | None
    bits_per_byte: float


@dataclass(frozen=True)
class PhaseRecord:
    """A finished phase. `steps` have loss, lm_loss, label_loss (where there is one), learning_rate.

    `kept_step` is the one whose weights the phase ends with: that of the best validation, else the last.
    """

    plan: PhasePlan
    batch: Batch
    steps: tuple[dict[str, float], ...]
    validations: tuple[Validation, ...]
    kept_step: int


@dataclass(frozen=True)
class Fitted:
    """The fitted model, in memory and in eval mode, and the account of how it came about.

    `rows` are what the phases read: row for row, numbers of training windows.
    """

    model: Any
    rows: tuple[PhaseRows, ...]
    phases: tuple[PhaseRecord, ...]
    out_of_memory: int
    tokens_per_second: float | None


@dataclass(frozen=True)
class _Fitting:
    """What stays the same over all phases of a run."""

    build: Callable[[], Any]
    prepared: Prepared
    phases: tuple[PhaseRows, ...]
    work: Path
    wish: Wish
    pace: Pace


def fit(
    build: Callable[[], Any],
    prepared: Prepared,
    work: Path,
    watcher: StepWatcher | None = None,
    timed: Callable[[float], None] = lambda hours: None,
) -> Fitted:
    """Train what `build` makes (a PreTrainedModel with random weights, the same at every call) as the preset says.

    `work` keeps checkpoints: with the same one, the same call goes on where a killed one stopped, and ends with the
    same weights. `timed` hears the hours that it will take, after ten steps. Raises StageFailed (a loss that is no
    number, out of memory twice), TrainingStopped.
    """
    heard = watcher or StepWatcher()
    phases = plan_phases(prepared)
    pace = Pace([one.plan for one in phases], heard, timed)
    with stop_kindly(heard.stopping) as wish:
        fitting = _Fitting(build, prepared, phases, work, wish, pace)
        return train_within_memory(
            lambda batch, failures: _run_all(fitting, batch, failures),
            work,
            wanted_batch(prepared.preset),
            heard,
            _ADVICE,
        )


def _run_all(fitting: _Fitting, batch: Batch, failures: int) -> Fitted:
    model, weights, records = None, None, []
    for phase in fitting.phases:
        folder = fitting.work / f"phase-{phase.plan.number}"
        account = read_seal(folder / _DONE)
        if account is None and phase.plan.steps:
            model = None  # of the phase before: never two at once
            release_memory()
            account = _run_one(fitting, phase, batch, folder, _open(fitting, weights))
        if account is not None:
            weights = folder / _DONE / _MODEL
        records.append(_record(phase.plan, account, batch))
    model = _open(fitting, weights).eval()
    model.config.use_cache = True  # the Trainer turned it off
    return Fitted(model, fitting.phases, tuple(records), failures, fitting.pace.speed)


def _open(fitting: _Fitting, weights: Path | None) -> Any:
    """The model as a phase left it, in the numbers that it is trained in; a new one before the first phase."""
    import torch

    model = fitting.build()
    if weights is not None:
        model = type(model).from_pretrained(weights, dtype=torch.float32, local_files_only=True)
    return model


def _run_one(fitting: _Fitting, phase: PhaseRows, batch: Batch, folder: Path, model: Any) -> dict[str, Any]:
    from models.tribal.trainer import Validating

    folder.mkdir(parents=True, exist_ok=True)
    preset, plan, validating = fitting.prepared.preset, phase.plan, None
    trainer = _make_trainer(fitting, phase, batch, folder, model)
    before = _measured_before(folder, trainer)
    if before is not None:
        validating = Validating(preset.validation_steps, preset.patience, folder)
        trainer.add_callback(validating)
    fitting.pace.begins(plan, newest_checkpoint(folder))
    try:
        run_phase(
            trainer, plan, folder, fitting.wish, fitting.pace.stepped,
            lambda: validating is not None and validating.ended,
        )  # fmt: skip
    except TrainingStopped as stopped:
        steps = sum(one.plan.steps for one in fitting.phases)
        raise TrainingStopped(fitting.pace.before(plan) + stopped.step, steps) from None
    return _finish(trainer, batch, folder, before)


def _make_trainer(fitting: _Fitting, phase: PhaseRows, batch: Batch, folder: Path, model: Any) -> Any:
    from models.tribal.trainer import Rows, TribalTrainer, arguments

    prepared, targets = fitting.prepared, knows_members(model)
    held_out = prepared.collator(prepared.validation, targets)
    return TribalTrainer(
        _measurer(phase.validation, held_out, prepared, batch.size) if phase.validation else None,
        model=model,
        args=arguments(prepared.preset, phase.plan, batch, folder),
        train_dataset=Rows(phase.rows),
        data_collator=prepared.collator(prepared.train, targets),
        processing_class=prepared.tokenizer,
    )


def _measurer(rows: Sequence[Sequence[int]], collator: Collator, prepared: Prepared, size: int) -> Any:
    def measured(model: Any, context: Any) -> Measurement | None:
        return measure(model, rows, collator, prepared.bytes_of, size, context)

    return measured


def _measured_before(folder: Path, trainer: Any) -> Validation | None:
    """The measurement at a phase's beginning, made once however often the phase is taken up again."""
    path = folder / "begun.json"
    try:
        kept = json.loads(path.read_bytes())["before"]
    except (OSError, ValueError, KeyError):
        found = trainer.measure_now()
        kept = None if found is None else asdict(Validation(0, **asdict(found)))
        write_whole(path, canonical_json({"before": kept}))
    return None if kept is None else Validation(**kept)


def _finish(trainer: Any, batch: Batch, folder: Path, before: Validation | None) -> dict[str, Any]:
    """Keep the phase's weights and its account, and throw its checkpoints away."""
    from models.tribal.trainer import best_folder, best_step, validations

    history = trainer.state.log_history
    kept = trainer.state.global_step if before is None else best_step(history)[0]
    steps = [{name: log[name] for name in _FIGURES if name in log} for log in history if "loss" in log]
    measured = [] if before is None else [asdict(before), *validations(history)]
    account = {
        "steps": steps, "validations": measured, "kept_step": kept, "batch": [batch.size, batch.accumulation],
    }  # fmt: skip
    done = folder / _DONE
    shutil.rmtree(done, ignore_errors=True)
    if before is None:
        trainer.model.save_pretrained(done / _MODEL)
    else:
        shutil.copytree(best_folder(folder, kept), done / _MODEL, ignore=shutil.ignore_patterns(SEAL))
    seal(done, account)
    for left in (*folder.glob("checkpoint-*"), *folder.glob("best-*")):
        shutil.rmtree(left)
    return account


def _record(plan: PhasePlan, account: dict[str, Any] | None, batch: Batch) -> PhaseRecord:
    if account is None:
        return PhaseRecord(plan, batch, (), (), 0)
    steps = tuple({name: step[name] for name in _FIGURES if name in step} for step in account["steps"])
    validations = tuple(Validation(**values) for values in account["validations"])
    return PhaseRecord(plan, Batch(*account["batch"]), steps, validations, account["kept_step"])
