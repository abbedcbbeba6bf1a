"""From corpus shards and a preset to an adapter that has been proven to load."""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.lora.curriculum import PhaseRecord, Trained, train_phases
from models.lora.demo_base import DESCRIPTION
from models.lora.inspection import show_windows
from models.lora.job import Corpus, Job, plan_job
from models.lora.loading import torch_dtype
from models.lora.preflight import Preflight
from models.lora.proof import check_moved, check_reread
from models.lora.reached import sum_up
from models.lora.result import LoraResult, PhaseResult
from models.lora.saving import (
    BASE_REFERENCE,
    CURVE,
    SEEN,
    SHOWN,
    save_adapter,
    write_curve,
    write_seen,
    write_shown,
)
from models.lora.training import import_trainer
from models.lora.watching import Watcher
from models.quiet import forbid_telemetry, quiet_datasets, quiet_libraries
from models.training.device import held_memory, peak_memory
from models.training.halving import read_batch
from models.training.refusals import refusals_told
from models.training.schedule import wanted_batch
from models.training.watching import Measured
from models.training.working import claim_folder
from schemas.errors import StoreError
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase

#: Distributions whose version changes the result of a run.
LIBRARIES = (
    "accelerate", "bitsandbytes", "datasets", "peft", "tokenizers", "torch", "transformers", "trl"
)  # fmt: skip
BASE, ADAPTER, RESULT = "base", "adapter", "train.json"
_WORK = ".work"


def train_lora(
    preset: LoraPreset,
    corpus: Corpus,
    out: Path,
    *,
    work: Path | None = None,
    cache: Path | None = None,
    watcher: Watcher | None = None,
) -> LoraResult:
    """Train a LoRA on `corpus["train"]`; write `adapter/`, `train.json`, `curve.jsonl`, `windows.jsonl` (the decoded
    windows), `seen.parquet` and, for the demo base, `base/` to the empty folder `out`.

    `corpus` maps splits to Parquet shards in `schemas.tables.CORPUS`; `validation` is only measured, `test` is not
    read. `work` keeps checkpoints: with the same one, a call goes on where a killed one stopped, and ends with the same
    weights; without one, nothing is kept. `cache` is the home's, with fetched bases. Nothing is written elsewhere,
    nothing is asked of another host. Raises StageFailed, SettingsError, UsageError, MissingModel, InputError,
    StoreError; TrainingStopped after a Ctrl-C.
    """
    if out.exists() and any(out.iterdir()):
        raise StoreError("the folder for the adapter is not empty", where=str(out))
    forbid_telemetry()
    out.mkdir(parents=True, exist_ok=True)
    folder = work or out / _WORK
    try:
        with refusals_told(out), _ready(folder, preset, corpus), quiet_libraries(), quiet_datasets():
            result = _train(preset, corpus, out, folder, cache, watcher or Watcher())
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
    (out / RESULT).write_text(result.model_dump_json(indent=2) + "\n", "utf-8")
    return result


def plan_run(preset: LoraPreset, corpus: Corpus, work: Path, *, cache: Path | None = None) -> Preflight:
    """What a training would read and take, and whether it fits; trains nothing. `work` takes temporary files.

    Raises as `train_lora` does before its first step.
    """
    forbid_telemetry()
    with refusals_told(work), _ready(work, preset, corpus), quiet_libraries(), quiet_datasets():
        return plan_job(preset, corpus, work, cache, read_batch(work, wanted_batch(preset))[0]).preflight


def _train(
    preset: LoraPreset, corpus: Corpus, out: Path, work: Path, cache: Path | None, watcher: Watcher
) -> LoraResult:
    batch, _ = read_batch(work, wanted_batch(preset))
    job = plan_job(preset, corpus, work, cache, batch)
    watcher.planned(job.preflight)
    shown = show_windows(job.train.windows, job.tokenizer)
    watcher.showed(shown)
    import_trainer()  # else its libraries would be counted as memory of the training
    held, begun = held_memory(), time.perf_counter()
    trained = train_phases(job, watcher)
    watcher.measured(Measured(peak_memory(), held, time.perf_counter() - begun, trained.tokens_per_second))
    check_moved(trained.model)
    _write(job, trained, out)
    write_shown(shown, out / SHOWN)
    assert job.train.windows is not None
    check_reread(trained.model, out / ADAPTER, job.train.windows[0]["input_ids"])
    return _result(job, trained)


def _write(job: Job, trained: Trained, out: Path) -> None:
    if isinstance(job.preset.base, DemoBase):
        shutil.copytree(job.base, out / BASE)
    named = BASE_REFERENCE if isinstance(job.preset.base, DemoBase) else job.preset.base.name
    save_adapter(trained.model, job.tokenizer, job.template, out / ADAPTER, named, job.base_revision)
    write_curve(((record.plan.number, record.steps) for record in trained.phases), out / CURVE)
    write_seen(_read(job, trained), out / SEEN)


def _read(job: Job, trained: Trained) -> Any:
    """The figures of the windows that were really read, with the batch that each phase really had."""
    return job.reading.read(((record.plan, record.batch) for record in trained.phases), job.preset.seed)


@contextmanager
def _ready(work: Path, preset: LoraPreset, corpus: Corpus) -> Iterator[None]:
    """The working folder belongs to this run and to no other; prepared data of an earlier try is made again."""
    claim_folder(work, preset.model_dump_json(), corpus, LIBRARIES)
    for left in ("data", "base"):
        shutil.rmtree(work / left, ignore_errors=True)
    yield


def _result(job: Job, trained: Trained) -> LoraResult:
    preset, whole, read = job.preset, job.train.total(), _read(job, trained)
    total, prepared = sum_up(read), sum_up(job.reading.figures)
    aside = Counter(job.train.set_aside.values())
    if prepared.examples > total.examples:
        aside["not_reached"] = prepared.examples - total.examples
    held_out = job.validation.windows
    steps = [step for record in trained.phases for step in record.steps]
    measured = [record for record in trained.phases if record.steps]
    return LoraResult(
        base=DESCRIPTION if isinstance(preset.base, DemoBase) else preset.base.name,
        base_is_demo=isinstance(preset.base, DemoBase),
        base_revision=job.base_revision,
        base_identity=job.base_identity,
        preset=preset.description,
        backend=job.backend,
        quantization=preset.quantization,
        dtype=str(torch_dtype(preset)).removeprefix("torch."),
        template=job.template.digest,
        out_of_memory=trained.out_of_memory,
        phases=tuple(_phase(job, record, read) for record in trained.phases),
        steps=len(steps),
        examples=total.examples,
        examples_set_aside=dict(sorted(aside.items())),
        validation_examples=0 if held_out is None else len(held_out.unique("example_id")),
        windows=total.windows,
        replies=total.replies,
        replies_too_long=whole.replies_too_long,
        replies_left_out=whole.replies_left_out,
        marks_defused=whole.defused,
        tokens=total.tokens,
        trained_tokens=total.trained_tokens,
        vocab_size=len(job.tokenizer),
        first_loss=steps[0][1],
        last_loss=steps[-1][1],
        validation_loss_before=measured[0].before,
        validation_loss_after=measured[-1].after,
        base_parameters=trained.shape.base_parameters,
        trainable_parameters=trained.shape.trainable_parameters,
        target_modules=preset.target_modules,
        adapted_layers=trained.shape.adapted_layers,
        libraries={name: version(name) for name in LIBRARIES},
    )


def _phase(job: Job, record: PhaseRecord, read: Any) -> PhaseResult:
    plan = record.plan
    counts, planned = job.train.counts[plan.number], job.preflight.phases[plan.number - 1]
    return PhaseResult(
        number=plan.number,
        name=plan.name,
        learning_rate=plan.learning_rate,
        epochs=plan.epochs,
        passes=_passes(record),
        steps=len(record.steps),
        batch_size=record.batch.size,
        gradient_accumulation=record.batch.accumulation,
        examples=counts.examples,
        examples_set_aside=planned.set_aside,
        windows=counts.windows,
        windows_not_reached=counts.windows - read["phase"].to_pylist().count(plan.number),
        replies=counts.replies,
        tokens=counts.tokens,
        trained_tokens=counts.trained_tokens,
        first_loss=record.steps[0][1] if record.steps else None,
        last_loss=record.steps[-1][1] if record.steps else None,
        validation_windows=job.validation.counts[plan.number].windows,
        validation_loss_before=record.before,
        validation_loss_after=record.after,
    )


def _passes(record: PhaseRecord) -> float:
    plan, taken = record.plan, len(record.steps) * record.batch.size * record.batch.accumulation
    return min(plan.epochs, taken / plan.rows) if plan.rows else 0.0
