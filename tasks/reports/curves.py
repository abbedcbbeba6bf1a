"""Curves over the steps of a training run: points on the canvas of the other charts. Geometry only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.training_run import PhaseRun
from tasks.reports.charts import BOTTOM, HEIGHT, PLOT_HEIGHT, RIGHT, WIDTH, Tick

#: Room for `1.5e-05` on the left.
LEFT = 50
PLOT_WIDTH = WIDTH - LEFT - RIGHT
#: A longer run is drawn with the mean of each stretch of so many points: more would not fit on the canvas.
POINTS = 240


@dataclass(frozen=True)
class Line:
    """A polyline; `kind` picks its colour."""

    kind: str
    points: str


@dataclass(frozen=True)
class Dot:
    """A single value, with what is said on hover."""

    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Curves:
    """A drawing with both axes. `bounds` are the places where a new phase begins."""

    title: str
    lines: tuple[Line, ...]
    dots: tuple[Dot, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    bounds: tuple[Tick, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = 18
    base: int = HEIGHT - BOTTOM


def draw_loss(
    phases: Sequence[PhaseRun],
    title: str = "Loss, nats per trained token",
    held_out: Sequence[Sequence[tuple[int, float]]] | None = None,
) -> Curves | None:
    """Training loss as it was and smoothed, and the validation loss before and after each phase; or the curves of
    `held_out` by step, a line for each."""
    points = [(p.step, p.loss) for phase in phases for p in phase.steps if math.isfinite(p.loss)]
    if len(points) < 2:
        return None
    told = [_validation(phases)] if held_out is None else [_told(curve) for curve in held_out]
    measured = [one for curve in told for one in curve]
    values = [loss for _, loss in points] + [loss for _, loss, _ in measured]
    frame = _Frame(1, max(points[-1][0], 2), min(values), max(values))
    lines = [Line("raw", frame.path(_thin(points))), Line("smooth", frame.path(_thin(_smooth(points))))]
    lines += [Line("held", frame.path([(s, loss) for s, loss, _ in one])) for one in told if len(one) > 1]
    dots = tuple(Dot(frame.x(step), frame.y(loss), said) for step, loss, said in measured)
    return _curves(title, frame, lines, dots, phases)


def _told(curve: Sequence[tuple[int, float]]) -> list[tuple[float, float, str]]:
    return [(s, loss, f"validation at step {s:,}: {loss:.4f}") for s, loss in curve if math.isfinite(loss)]


def draw_measured(
    title: str, curves: Sequence[Sequence[tuple[int, float]]], phases: Sequence[PhaseRun]
) -> Curves | None:
    """What was measured every so many steps on what was held out, a line for each curve; None of fewer than two
    points."""
    known = [[(step, value) for step, value in one if math.isfinite(value)] for one in curves]
    points = [point for one in known for point in one]
    if len(points) < 2:
        return None
    values = [value for _, value in points]
    last = max([step for step, _ in points] + [p.step for phase in phases for p in phase.steps])
    frame = _Frame(1, max(last, 2), min(values), max(values))
    dots = tuple(Dot(frame.x(step), frame.y(value), f"step {step:,}: {value:.4f}") for step, value in points)
    return _curves(title, frame, [Line("held", frame.path(one)) for one in known if one[1:]], dots, phases)


def draw_rates(phases: Sequence[PhaseRun]) -> Curves | None:
    """The learning rate over the steps; None when nobody wrote it down."""
    points = [
        (p.step, p.learning_rate) for phase in phases for p in phase.steps if p.learning_rate is not None
    ]
    if len(points) < 2:
        return None
    frame = _Frame(1, max(points[-1][0], 2), 0.0, max(rate for _, rate in points) or 1.0)
    return _curves("Learning rate", frame, [Line("smooth", frame.path(_thin(points)))], (), phases)


class _Frame:
    """From steps and values to the canvas."""

    def __init__(self, first: float, last: float, low: float, high: float) -> None:
        self.first, self.last = first, last
        self.step = _round_step(high - low or abs(high) or 1.0)
        self.low = math.floor(low / self.step + 1e-9) * self.step
        self.high = max(math.ceil(high / self.step - 1e-9) * self.step, self.low + self.step)

    def x(self, step: float) -> float:
        return round(LEFT + PLOT_WIDTH * (step - self.first) / (self.last - self.first), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - PLOT_HEIGHT * (value - self.low) / (self.high - self.low), 1)

    def path(self, points: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{self.x(step)},{self.y(value)}" for step, value in points)

    def up(self) -> tuple[Tick, ...]:
        count = round((self.high - self.low) / self.step)
        values = (self.low + n * self.step for n in range(count + 1))
        return tuple(Tick(self.y(value), self._label(value)) for value in values)

    def _label(self, value: float) -> str:
        """As many decimals as tell one tick from the next."""
        if self.high < 1e-2:  # learning rates
            return f"{round(value, 12):.3g}"
        return f"{value:.{max(0, -math.floor(math.log10(self.step) + 1e-9))}f}"

    def across(self) -> tuple[Tick, ...]:
        step = max(1, round(_round_step(self.last - self.first)))
        marks = [1, *range(step, int(self.last) + 1, step)]
        return tuple(
            Tick(self.x(mark), f"{mark:,}") for mark in dict.fromkeys(marks) if mark == 1 or mark > step / 2
        )


def _curves(
    title: str, frame: _Frame, lines: Sequence[Line], dots: tuple[Dot, ...], phases: Sequence[PhaseRun]
) -> Curves:
    begun = [(phase.steps[0].step, phase.name) for phase in phases if phase.steps]
    bounds = tuple(Tick(frame.x(step), name) for step, name in begun) if len(begun) > 1 else ()
    return Curves(title, tuple(lines), dots, frame.across(), frame.up(), bounds)


def _validation(phases: Sequence[PhaseRun]) -> list[tuple[float, float, str]]:
    """Where the validation loss was measured: before a phase, and after its last step."""
    found: list[tuple[float, float, str]] = []
    for phase in phases:
        if not phase.steps:
            continue
        ends = (
            (phase.steps[0].step, phase.validation_before, "before"),
            (phase.steps[-1].step, phase.validation_after, "after"),
        )
        found += [
            (step, loss, f"validation {when} {phase.name}: {loss:.4f}")
            for step, loss, when in ends
            if loss is not None and math.isfinite(loss)
        ]
    return found


def _smooth(points: Sequence[tuple[int, float]]) -> list[tuple[float, float]]:
    """A running mean that forgets: the curve that a person follows through the noise."""
    keep = 1 - 1 / max(2.0, min(20.0, len(points) / 10))
    mean, weight = 0.0, 0.0
    found = []
    for step, value in points:
        mean, weight = mean * keep + value, weight * keep + 1
        found.append((float(step), mean / weight))
    return found


def _thin(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    width = max(1, math.ceil(len(points) / POINTS))
    stretches = [points[start : start + width] for start in range(0, len(points), width)]
    return [
        (sum(step for step, _ in one) / len(one), sum(value for _, value in one) / len(one))
        for one in stretches
    ]


def _round_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, so that two to five steps span it."""
    scale = 10.0 ** math.floor(math.log10(span))
    return next(s for s in (scale / 5, scale / 2, scale, scale * 2, scale * 5) if span / s <= 5)
