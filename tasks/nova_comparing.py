"""A comparison of NOVA with its neighbours: the corpus found, trainings run or found, the page and its JSON written."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from models.training.watching import StepDone
from models.tribal.arms import ARMS
from models.tribal.comparing import VERSION, ComparisonWatcher, compare, write_comparison
from models.tribal.train import LIBRARIES
from schemas.ids import hash_fields
from schemas.nova_evaluation import ArmRun, NovaComparison
from schemas.settings.tribal import TribalPreset
from schemas.tables import SPLITS
from storage.home import Home
from storage.store import translated
from tasks.corpora import open_corpus, verify_corpus
from tasks.progress import listener
from tasks.reports.nova_comparison import render_nova_comparison
from tasks.reports.templates import tell_time

STAGE = "compare"


def compare_nova(
    home: Home, corpus: str, preset: TribalPreset, called: str, arms: Sequence[str], seeds: int
) -> NovaComparison:
    """Every arm with every seed over a corpus; what stands in the home's cache from a call before is not done again.

    `called` is the preset's name for people. Raises UsageError, StoreError, SettingsError, StageFailed, InputError.
    """
    dataset = open_corpus(home, corpus)
    verify_corpus(dataset)
    shards = {
        split: [Path(dataset.store.full(file.path)) for file in dataset.files(split)] for split in SPLITS
    }
    listener().started(STAGE)
    return compare(
        preset,
        {split: paths for split, paths in shards.items() if paths},
        (called, corpus),
        comparison_folder(home, corpus, preset),
        arms,
        seeds,
        _Progress(),
    )


def comparison_folder(home: Home, corpus: str, preset: TribalPreset) -> Path:
    """Where the trainings of a comparison stand: another preset, corpus or library has another folder."""
    from importlib.metadata import version

    libraries = json.dumps({name: version(name) for name in LIBRARIES}, sort_keys=True)
    mark = hash_fields(VERSION, corpus, preset.model_dump_json(), libraries)
    return home.cache / "nova-compare" / mark[:32]


def default_page(home: Home, called: str, corpus: str) -> Path:
    """Where the page goes when nobody says."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in Path(called).stem)
    return home.reports / f"nova-compare-{kept.strip('._-')[:60] or 'nova'}-{corpus[:8]}.html"


def write_page(comparison: NovaComparison, page: Path) -> Path:
    """The page, and all figures as JSON beside it; returns the JSON's path."""
    told = {name: arm.told for name, arm in ARMS.items()}
    figures = page.with_suffix(".json")
    with translated("write the comparison", str(page)):
        page.parent.mkdir(parents=True, exist_ok=True)
        temporary = page.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(render_nova_comparison(comparison, told), "utf-8")
        temporary.replace(page)
        write_comparison(comparison, figures)
    return figures


def comparison_lines(comparison: NovaComparison) -> list[str]:
    """What the terminal says at the end."""
    lines = []
    for one in comparison.arms:
        bits = one.bits_per_byte
        span = "" if bits.low is None or bits.high is None else f"  ({bits.low:.4f} to {bits.high:.4f})"
        value = "not measured" if bits.value is None else f"{bits.value:.4f} bits per byte{span}"
        lines.append(f"{one.arm:<11}{value}")
    return [*lines, *(one.verdict for one in comparison.differences), comparison.verdict]


def as_object(comparison: NovaComparison) -> Mapping[str, Any]:
    """The object of `--json`: without the conversations of every training, which the file beside the page holds."""
    value: dict[str, Any] = comparison.model_dump(mode="json")
    for run in value["runs"]:
        del run["scores"]
    return value


class _Progress(ComparisonWatcher):
    """Tells the terminal how far it is and how long it will take, as the steps so far went."""

    def __init__(self) -> None:
        self._runs = self._steps = self._done = 0
        self._now, self._first = "", 0.0
        self._before = self._counted = 0

    def planned(self, runs: int, steps: int) -> None:
        self._runs, self._steps = self._done + runs, steps  # fewer than before where another process did some

    def begun(self, arm: str, seed: int) -> None:
        self._now, self._before = f"{arm}, seed {seed}", 0
        listener().advanced(STAGE, self._done * self._steps, max(1, self._runs * self._steps), self._now)

    def stepped(self, step: StepDone) -> None:
        """The first step of the process is not timed: it warms things up."""
        if not self._first:
            self._first = time.monotonic()
        elif step.step > self._before:
            self._counted += 1
        self._before = step.step
        done, total = self._done * self._steps + step.step, max(1, self._runs * self._steps)
        left = ""
        if self._counted:
            seconds = (time.monotonic() - self._first) / self._counted * (total - done)
            left = f", {tell_time(seconds)} left"
        note = f"{self._now}, step {step.step} of {step.steps}, loss {step.loss:.3f}{left}"
        listener().advanced(STAGE, min(done, total), total, note)

    def measuring(self, arm: str, seed: int) -> None:
        done = min((self._done + 1) * self._steps, self._runs * self._steps)
        listener().advanced(STAGE, done, max(1, self._runs * self._steps), f"{arm}, seed {seed}: measuring")

    def finished(self, run: ArmRun) -> None:
        self._done += 1
        bits = run.evaluation.language.bits_per_byte.value
        value = "not measured" if bits is None else f"{bits:.4f} bits per byte"
        listener().noted(STAGE, f"{run.arm}, seed {run.seed}: {value} after {run.steps} steps")

    def waiting(self, arm: str, seed: int) -> None:
        listener().noted(STAGE, f"waiting for another process that trains {arm}, seed {seed}")

    def noted(self, text: str) -> None:
        listener().noted(STAGE, text)

    def stopping(self) -> None:
        listener().noted(STAGE, "stopping after this step; the same command goes on from it")
