"""From corpus shards and a preset to a NOVA that has been proven to load."""

from __future__ import annotations

import json
import shutil
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.quiet import forbid_telemetry, quiet_libraries
from models.training.device import held_memory, peak_memory
from models.training.refusals import refusals_told
from models.training.watching import Measured
from models.training.working import claim_folder
from models.tribal.accounting import result_of
from models.tribal.corpus import Corpus
from models.tribal.curriculum import Fitted, fit
from models.tribal.job import Job, build_nova, plan_job
from models.tribal.plan import TribalPlan
from models.tribal.preparing import with_test
from models.tribal.reached import windows_read, write_seen
from models.tribal.result import TribalResult
from models.tribal.watching import Watcher
from schemas.errors import StageFailed, StoreError
from schemas.settings.tribal import TribalPreset

#: Distributions whose version changes the result of a run.
LIBRARIES = ("accelerate", "numpy", "tokenizers", "torch", "transformers")
MODEL, RESULT, CURVE, VALIDATION, EVALUATION, SEEN = (
    "model", "train.json", "curve.jsonl", "validation.jsonl", "evaluation.json", "seen.parquet"
)  # fmt: skip
#: Largest difference between logits of the trained and of the reread model.
TOLERANCE = 1e-5
_WORK = ".work"


def train_tribal(
    preset: TribalPreset,
    corpus: Corpus,
    out: Path,
    *,
    work: Path | None = None,
    watcher: Watcher | None = None,
) -> TribalResult:
    """Train a NOVA on `corpus["train"]`; write `model/`, `train.json`, `curve.jsonl` (a line per step),
    `validation.jsonl` (a line per validation), `evaluation.json` and `seen.parquet` to the empty folder `out`.

    `corpus` maps splits to Parquet shards in `schemas.tables.CORPUS`; `validation` is only measured (and says when a
    phase ends), `test` is opened when all is learned, and evaluated; only its labels are checked before. `work` keeps
    checkpoints: with the same one, a call goes on where a killed one stopped, and ends with the same weights; without
    one, nothing is kept. Raises StageFailed, SettingsError, UsageError, InputError, StoreError; TrainingStopped after
    a Ctrl-C.
    """
    if out.exists() and any(out.iterdir()):
        raise StoreError("the folder for the model is not empty", where=str(out))
    forbid_telemetry()
    out.mkdir(parents=True, exist_ok=True)
    folder = work or out / _WORK
    try:
        with refusals_told(out), quiet_libraries():
            claim_folder(folder, preset.model_dump_json(), corpus, LIBRARIES)
            result = _train(preset, corpus, out, folder, watcher or Watcher())
            (out / RESULT).write_text(result.model_dump_json(indent=2) + "\n", "utf-8")
    finally:
        if work is None:
            shutil.rmtree(folder, ignore_errors=True)
    return result


def plan_tribal(preset: TribalPreset, corpus: Corpus, work: Path) -> TribalPlan:
    """What a training would read and take, and whether it fits; trains nothing.

    Raises as `train_tribal` does before its first step.
    """
    forbid_telemetry()
    with refusals_told(work), quiet_libraries():
        claim_folder(work, preset.model_dump_json(), corpus, LIBRARIES)
        return plan_job(preset, corpus, work).plan


def _train(preset: TribalPreset, corpus: Corpus, out: Path, work: Path, watcher: Watcher) -> TribalResult:
    job = plan_job(preset, corpus, work)
    watcher.planned(job.plan)
    for note in job.plan.notes:
        watcher.noted(note)
    import models.tribal.trainer  # noqa: F401 - else its libraries would be counted as memory of the training

    held, begun = held_memory(), time.perf_counter()
    fitted = fit(
        lambda: build_nova(job.config, preset.seed),
        job.prepared,
        work,
        watcher,
        lambda hours: watcher.planned(job.plan.model_copy(update={"hours": hours})),
    )
    watcher.measured(Measured(peak_memory(), held, time.perf_counter() - begun, fitted.tokens_per_second))
    _write(job, fitted, out)
    check_reread(fitted.model, out / MODEL, job.prepared.train.documents.ids[: preset.max_length])
    _evaluate(job, fitted, corpus, out)
    return result_of(job, fitted, {name: version(name) for name in LIBRARIES})


def _evaluate(job: Job, fitted: Fitted, corpus: Corpus, out: Path) -> None:
    """Measure the model on the test split, which is opened only now, or else on the validation split."""
    from models.tribal.evaluation import evaluate_trained

    found = evaluate_trained(fitted.model, with_test(job.prepared, corpus))
    if found is not None:
        (out / EVALUATION).write_text(found.model_dump_json(indent=2) + "\n", "utf-8")


def check_reread(model: Any, folder: Path, input_ids: Any) -> None:
    """What was written gives the logits of what was trained, to TOLERANCE. Raises StageFailed."""
    import torch

    from models.tribal.opening import open_nova

    reread, _ = open_nova(folder)
    ids = torch.from_numpy(input_ids).long()[None]
    with torch.inference_mode():
        ours = model(input_ids=ids.to(model.device)).logits.float().cpu()
        theirs = reread.to(model.device)(input_ids=ids.to(model.device)).logits.float().cpu()
    difference = float((ours - theirs).abs().max())
    if not difference <= TOLERANCE:
        raise StageFailed(f"the saved model answers differently from the trained one (by {difference:.1e})")


def _write(job: Job, fitted: Fitted, out: Path) -> None:
    fitted.model.config.name_or_path = ""  # else the working folder's path would be written down
    fitted.model.save_pretrained(out / MODEL)
    job.prepared.tokenizer.save_pretrained(out / MODEL)
    with (out / CURVE).open("w", encoding="utf-8") as sink:
        for record in fitted.phases:
            for step in record.steps:
                sink.write(json.dumps({"phase": record.plan.number, **step}) + "\n")
    with (out / VALIDATION).open("w", encoding="utf-8") as sink:
        for record in fitted.phases:
            for found in record.validations:
                sink.write(json.dumps({"phase": record.plan.number, **vars(found)}) + "\n")
    seed = job.prepared.preset.seed
    read = [
        windows_read(phase, record.batch, seed, len(record.steps))
        for phase, record in zip(fitted.rows, fitted.phases, strict=True)
    ]
    write_seen(job.prepared.train, sorted(set().union(*read)), out / SEEN)
