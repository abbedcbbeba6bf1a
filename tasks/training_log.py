"""What a training run writes down while it goes on, in the home's logs: a line per step, and what was decoded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from models.training.watching import Measured, StepDone, StepWatcher
from schemas.settings.loading import lifted_steps, overruled_by_phases
from storage.home import Home
from storage.store import translated
from tasks.progress import listener
from tasks.reports.templates import tell_time
from tasks.training_kinds import TrainingKind

STEPS, PREFLIGHT, MEASURED, NOTES, SAMPLES = (
    "steps.jsonl", "preflight.json", "measured.json", "notes.json", "samples.json"
)  # fmt: skip

Shape = TypeVar("Shape", bound=BaseModel)


def logs_of(home: Home, stage: str, fingerprint: str) -> Path:
    """Where a run writes down what only this machine knows: steps with their times, measurements, samples."""
    return home.logs / f"{stage}-{fingerprint}"


def read_list(path: Path, shape: type[Shape]) -> tuple[Shape, ...]:
    """The items of a JSON list; none when there is no such file."""
    try:
        return tuple(shape.model_validate(item) for item in json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return ()


def write_list(path: Path, items: Sequence[BaseModel]) -> None:
    """Write items so that `read_list` finds them."""
    values = [item.model_dump(mode="json") for item in items]
    with translated("write the log", str(path)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values, ensure_ascii=False, indent=1), "utf-8")


class RunLog(StepWatcher):
    """Writes down what a run tells of itself, and shows it to whoever listens to stages.

    A run that goes on after a crash adds its steps to those of the first try: the last line of a step counts.
    """

    def __init__(self, stage: str, folder: Path, more: StepWatcher | None = None) -> None:
        with translated("write the log", str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        self.stage, self._folder = stage, folder
        self._notes: list[str] = []
        self._more = more or StepWatcher()

    def noted(self, text: str) -> None:
        """Something that a person should know."""
        self._notes.append(text)
        self.write(NOTES, self._notes)
        listener().noted(self.stage, text)

    def stepped(self, step: StepDone) -> None:
        """A step is done: written down, and shown with loss, speed and time left."""
        line = {**asdict(step), "at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        path = self._folder / STEPS
        with translated("write the log", str(path)), path.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(line) + "\n")
        listener().advanced(self.stage, step.step, step.steps, tell_step(step))
        self._more.stepped(step)

    def stopping(self) -> None:
        """Said at once, and on the terminal only: it is nothing to know of a run that goes on later."""
        listener().noted(self.stage, "stopping: the step is finished and saved first (Ctrl-C again: at once)")

    def measured(self, measured: Measured) -> None:
        """What the run took in the end."""
        self.write(MEASURED, asdict(measured))

    def write(self, name: str, value: Any) -> None:
        """A JSON value into the run's log."""
        with translated("write the log", str(self._folder / name)):
            (self._folder / name).write_text(json.dumps(value, ensure_ascii=False, indent=1), "utf-8")


def notes_on_steps(kind: TrainingKind, name: str, changes: Mapping[str, Any]) -> list[str]:
    """That changes lift the steps that a preset allows, or have no effect, when they do."""
    told = []
    if (steps := lifted_steps(kind.presets, name, changes)) is not None:
        told.append(f"Epochs were asked for, so the preset's max_steps of {steps:,} does not hold.")
    if idle := overruled_by_phases(kind.presets, name, changes):
        told.append(f"Without effect: {' and '.join(idle)}, for each of the preset's phases has its own.")
    return told


def tell_step(step: StepDone) -> str:
    """Loss, tokens per second, time left."""
    told = f"loss {step.loss:.3f}"
    timed = step.step - step.first_step + 1
    if step.seconds <= 0 or timed < 2:
        return told
    left = step.seconds / timed * (step.steps - step.step)
    return f"{told}, {step.tokens / step.seconds:,.0f} tokens/s, {tell_time(left)} left"


def _step_lines(folder: Path) -> Iterator[dict[str, Any]]:
    """All lines of a log as they were written; one torn by a crash is passed over."""
    try:
        lines = (folder / STEPS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return
    for line in lines:
        try:
            value = json.loads(line)
            int(value["step"]), int(value["first_step"]), float(value["seconds"])
        except (ValueError, KeyError, TypeError):
            continue
        yield value


def earlier_seconds(folder: Path) -> float:
    """Seconds between the steps of the sessions before the last one, of a run that was taken up again."""
    total, last = 0.0, (0, 0.0)
    for line in _step_lines(folder):
        begun, seconds = int(line["first_step"]), float(line["seconds"])
        if last[0] and (begun != last[0] or seconds < last[1]):
            total += last[1]
        last = (begun, seconds)
    return total


def tell_bytes(number: float) -> str:
    """`1.5 GiB`, `300 MiB`, `40 KiB`: never a rounded nothing of something."""
    if number >= 1 << 30:
        return f"{number / (1 << 30):.1f} GiB"
    return f"{number / (1 << 20):.0f} MiB" if number >= 1 << 20 else f"{number / (1 << 10):.0f} KiB"


def read_value(path: Path) -> Any | None:
    """A JSON value; None when there is no such file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def read_lines(path: Path) -> list[Any]:
    """The values of a file with one JSON value per line; a text may hold any other break of lines."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
