"""Does alpha earn its place? Trains every arm with every seed on the same data, and measures all on the same text.

A training that is finished is one file, written whole: a comparison that was killed goes on with the next one, and the
one that it was in goes on from its checkpoint. Several processes over one folder share the trainings.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.quiet import forbid_telemetry, quiet_libraries
from models.training.checkpoints import write_whole
from models.training.refusals import refusals_told
from models.training.watching import StepDone, StepWatcher
from models.training.working import claim_folder
from models.tribal.arms import ARMS, equip
from models.tribal.corpus import Corpus
from models.tribal.curriculum import Fitted, fit
from models.tribal.evaluation.comparison import summed_up
from models.tribal.evaluation.evaluating import evaluate, held_out
from models.tribal.job import notes_on
from models.tribal.preparing import Prepared, prepare
from models.tribal.schedule import plan_phases
from models.tribal.train import LIBRARIES
from schemas.errors import StageFailed
from schemas.nova_evaluation import ArmRun, NovaComparison
from schemas.settings.tribal import TribalPreset

#: Raise it when a comparison would come out otherwise: results that stand are then those of another one.
VERSION = "1"


class ComparisonWatcher:
    """Hears of a comparison; by default it does nothing with it."""

    def planned(self, runs: int, steps: int) -> None:
        """Told before each training: so many are left to do, this one among them, of at most so many steps each."""

    def begun(self, arm: str, seed: int) -> None:
        """A training begins, or goes on."""

    def stepped(self, step: StepDone) -> None:
        """A step of it is done."""

    def measuring(self, arm: str, seed: int) -> None:
        """It is over, and the model reads the text that nobody was trained on."""

    def finished(self, run: ArmRun) -> None:
        """It is measured, and written down."""

    def waiting(self, arm: str, seed: int) -> None:
        """Only trainings that another process is at are left; it is waited for."""

    def noted(self, text: str) -> None:
        """Something that a person should know."""

    def stopping(self) -> None:
        """Ctrl-C was heard; the step that is under way is finished and saved first."""


@dataclass(frozen=True)
class _Job:
    prepared: Prepared
    split: str
    folder: Path
    watcher: ComparisonWatcher

    def path(self, arm: str, seed: int) -> Path:
        """Where a finished training is written down."""
        return self.folder / f"{arm}-{seed}.json"


def compare(
    preset: TribalPreset,
    corpus: Corpus,
    named: tuple[str, str],
    folder: Path,
    arms: Sequence[str],
    seeds: int,
    watcher: ComparisonWatcher | None = None,
) -> NovaComparison:
    """Train and measure what `folder` does not hold yet, and compare. `named`: preset and corpus, as people call them.

    Seeds count up from the preset's. Raises StageFailed (nothing to measure on), and what `prepare` and `fit` raise.
    """
    forbid_telemetry()
    heard = watcher or ComparisonWatcher()
    wanted = [(arm, preset.seed + more) for more in range(seeds) for arm in arms]
    with refusals_told(folder), quiet_libraries():
        claim_folder(folder, f"{VERSION} {preset.model_dump_json()}", corpus, LIBRARIES)
        prepared = prepare(preset, corpus)
        split = held_out(prepared)
        if split is None:
            raise StageFailed(
                "there is no text to compare on: the corpus has neither a test nor a validation split",
                fix="Build the corpus with mix.test above 0.",
            )
        for note in notes_on(prepared, plan_phases(prepared)):
            heard.noted(note)
        job = _Job(prepared, split, folder, heard)
        runs = _all_runs(job, wanted)
    return summed_up(named, prepared, split, _budget(prepared), runs)


def _budget(prepared: Prepared) -> int:
    """Steps that every arm may take at most."""
    return sum(phase.plan.steps for phase in plan_phases(prepared))


def _all_runs(job: _Job, wanted: Sequence[tuple[str, int]]) -> list[ArmRun]:
    """Every training, done here or by another process, in the order asked for."""
    found: dict[tuple[str, int], ArmRun] = {}
    budget = _budget(job.prepared)
    while len(found) < len(wanted):
        left = [one for one in wanted if one not in found]
        before = len(found)
        for one in left:
            missing = [other for other in left if not job.path(*other).exists()]
            if one in missing:
                job.watcher.planned(len(missing), budget)
            run = _run(job, *one, wait=False)
            if run is not None:
                found[one] = run
        if len(found) == before:
            job.watcher.waiting(*left[0])
            _run(job, *left[0], wait=True)
    return [found[one] for one in wanted]


def _run(job: _Job, arm: str, seed: int, wait: bool) -> ArmRun | None:
    """A training that stands, or that is done now; None while another process is at it."""
    path = job.path(arm, seed)
    with _claimed(path.with_suffix(".lock"), wait) as ours:
        if not ours:
            return None
        if path.exists():
            return ArmRun.model_validate_json(path.read_bytes())
        run = _trained(job, arm, seed)
        write_whole(path, run.model_dump_json().encode())
    shutil.rmtree(_work(job, arm, seed), ignore_errors=True)
    job.watcher.finished(run)
    return run


def _work(job: _Job, arm: str, seed: int) -> Path:
    return job.folder / f"{arm}-{seed}.work"


def _trained(job: _Job, arm: str, seed: int) -> ArmRun:
    job.watcher.begun(arm, seed)
    build, prepared = equip(ARMS[arm], job.prepared, seed)
    fitted = fit(build, prepared, _work(job, arm, seed), _Steps(job.watcher))
    job.watcher.measuring(arm, seed)
    evaluation, scores = evaluate(fitted.model, job.prepared, job.split)
    best_step, validation_loss = kept_weights(fitted)
    return ArmRun(
        arm=arm,
        seed=seed,
        parameters=sum(weight.numel() for weight in fitted.model.parameters()),
        steps=sum(len(record.steps) for record in fitted.phases),
        best_step=best_step,
        validation_loss=validation_loss,
        evaluation=evaluation,
        scores=scores,
    )


def kept_weights(fitted: Fitted) -> tuple[int | None, float | None]:
    """The step whose weights were kept, counted over all phases, and its validation loss; None where there is none."""
    trained = [record for record in fitted.phases if record.steps]
    if not trained:
        return None, None
    last = trained[-1]
    losses = {found.step: found.lm_loss for found in last.validations}
    return sum(len(record.steps) for record in trained[:-1]) + last.kept_step, losses.get(last.kept_step)


class _Steps(StepWatcher):
    """Hands on what is heard of one training."""

    def __init__(self, watcher: ComparisonWatcher) -> None:
        self._watcher = watcher

    def noted(self, text: str) -> None:
        self._watcher.noted(text)

    def stepped(self, step: StepDone) -> None:
        self._watcher.stepped(step)

    def stopping(self) -> None:
        self._watcher.stopping()


@contextmanager
def _claimed(path: Path, wait: bool) -> Iterator[bool]:
    """Whether this process alone is at it; the system lets go of it when the process ends, however it does."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True


def write_comparison(comparison: NovaComparison, path: Path) -> None:
    """All figures as JSON, beside the page: ids of conversations, counts and numbers, no text."""
    value: dict[str, Any] = comparison.model_dump(mode="json")
    write_whole(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())
