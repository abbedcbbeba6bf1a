"""What a training run writes down while it goes on, in the home's logs: a line per step, and what was decoded."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from storage.home import Home
from storage.store import translated

STEPS, SHOWN, PREFLIGHT, SAMPLES = "steps.jsonl", "shown.json", "preflight.json", "samples.json"

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


class StepLog:
    """Hears of each optimizer step. A run that goes on after a crash adds its lines: the last one of a step counts."""

    def __init__(self, folder: Path, tokens_per_step: float | None = None) -> None:
        with translated("write the log", str(folder)):
            folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / STEPS
        self._tokens = tokens_per_step
        self._begun: tuple[int, float] | None = None

    def heard(self, step: int, steps: int, loss: float, **more: Any) -> str:
        """Write the step down; returns what to show beside the bar: loss, tokens per second, time left."""
        moment = datetime.now(UTC).isoformat(timespec="milliseconds")
        line = {"step": step, "steps": steps, "loss": loss, **more, "at": moment}
        with translated("write the log", str(self._path)), self._path.open("a", encoding="utf-8") as sink:
            sink.write(json.dumps(line) + "\n")
        now = time.monotonic()
        if self._begun is None or step <= self._begun[0]:
            self._begun = (step, now)
            return f"loss {loss:.3f}"
        done, seconds = step - self._begun[0], now - self._begun[1]
        rate = f", {self._tokens * done / seconds:,.0f} tokens/s" if self._tokens and seconds > 0 else ""
        return f"loss {loss:.3f}{rate}, {tell_time(seconds / done * (steps - step))} left"


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """The lines of a log, one per step, in order; a line torn by a crash is passed over."""
    found: dict[int, dict[str, Any]] = {}
    try:
        lines = (folder / STEPS).read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            value = json.loads(line)
            found[int(value["step"])] = value
        except (ValueError, KeyError, TypeError):
            continue
    return [found[step] for step in sorted(found)]


def tell_time(seconds: float) -> str:
    """`40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
