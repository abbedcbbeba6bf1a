"""Values with their intervals, and a reliability diagram: geometry on the canvas of the other charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.nova_evaluation import Figure, ReliabilityBin
from tasks.reports.charts import BOTTOM, HEIGHT, LEFT, PLOT_HEIGHT, PLOT_WIDTH, RIGHT, TOP, WIDTH, Tick

#: Room for the names of rows on the left, and the height of a row.
NAMES, ROW = 84, 24
_RELIABILITY = 230


@dataclass(frozen=True)
class Mark:
    """A value at (x, y) with the ends of its interval, the same as the value where there is none."""

    x: float
    y: float
    low: float
    high: float
    label: str
    kind: str
    title: str


@dataclass(frozen=True)
class IntervalChart:
    """Marks, axes and perhaps a line to compare with. `upright`: intervals go up, else across."""

    title: str
    marks: tuple[Mark, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    upright: bool
    line: Tick | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    base: int = HEIGHT - BOTTOM


@dataclass(frozen=True)
class ReliabilityChart:
    """Dots of (sureness, share right), larger for more tokens, beside the diagonal of a detector that is never off."""

    title: str
    dots: tuple[tuple[float, float, float, str], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    width: int = WIDTH
    height: int = _RELIABILITY + TOP + BOTTOM
    left: int = LEFT
    right: int = _RELIABILITY + LEFT
    top: int = TOP
    base: int = _RELIABILITY + TOP


def draw_rows(
    title: str, rows: Sequence[tuple[str, Figure, str]], decimals: int = 3, zero: bool = False
) -> IntervalChart | None:
    """A row for each (name, figure, kind), its interval across; None when no figure has a value."""
    known = [(name, figure, kind) for name, figure, kind in rows if figure.value is not None]
    if not known:
        return None
    ends = [value for _, one, _ in known for value in (one.value, one.low, one.high) if value is not None]
    scale = _Scale([*ends, 0.0] if zero else ends, NAMES, WIDTH - RIGHT - 8)
    base = TOP + ROW * len(known)
    marks = tuple(
        _across(scale, number, name, figure, kind, decimals)
        for number, (name, figure, kind) in enumerate(known)
    )
    return IntervalChart(
        title=title,
        marks=marks,
        across=tuple(Tick(scale.at(value), label) for value, label in scale.ticks()),
        up=(),
        upright=False,
        line=Tick(scale.at(0.0), "") if zero else None,
        height=base + BOTTOM,
        left=NAMES,
        base=base,
    )


def draw_columns(title: str, columns: Sequence[tuple[str, Figure]], chance: float) -> IntervalChart | None:
    """A column for each (name, figure), its interval upright, from `chance` or less up to 1; None without a value."""
    known = [(number, name, one) for number, (name, one) in enumerate(columns) if one.value is not None]
    if not known:
        return None
    ends = [value for _, _, one in known for value in (one.value, one.low) if value is not None]
    scale = _Scale([min(*ends, chance), 1.0], HEIGHT - BOTTOM, HEIGHT - BOTTOM - PLOT_HEIGHT)
    step = PLOT_WIDTH / len(columns)
    places = [round(LEFT + step * (number + 0.5), 1) for number in range(len(columns))]
    marks = []
    for number, name, one in known:
        value = one.value or 0.0
        low, high = (value if end is None else end for end in (one.low, one.high))
        told = f"{name}: {value:.3f}" + ("" if one.low is None else f" ({low:.3f} to {high:.3f})")
        marks.append(
            Mark(places[number], scale.at(value), scale.at(low), scale.at(high), f"{value:.2f}", "kept", told)
        )
    return IntervalChart(
        title=title,
        marks=tuple(marks),
        across=tuple(Tick(place, name) for place, (name, _) in zip(places, columns, strict=True)),
        up=tuple(Tick(scale.at(value), label) for value, label in scale.ticks()),
        upright=True,
        line=Tick(scale.at(chance), "chance"),
    )


def draw_reliability(bins: Sequence[ReliabilityBin]) -> ReliabilityChart | None:
    """Bins that hold tokens; None when none does."""
    held = [(one, one.confidence, one.accuracy) for one in bins if one.tokens]
    if not held:
        return None
    most = max(one.tokens for one, _, _ in held)
    dots = tuple(
        (
            round(LEFT + _RELIABILITY * sure, 1),
            round(TOP + _RELIABILITY * (1 - right), 1),
            round(2.5 + 6 * math.sqrt(one.tokens / most), 1),
            f"alpha {one.low:.2f} to {one.high:.2f}: {one.tokens:,} tokens, {sure:.2f} sure, {right:.2f} right",
        )
        for one, sure, right in held
        if sure is not None and right is not None
    )
    marks = [n / 5 for n in range(6)]
    return ReliabilityChart(
        title="How sure alpha is, and how often right",
        dots=dots,
        across=tuple(Tick(round(LEFT + _RELIABILITY * mark, 1), f"{mark:g}") for mark in marks),
        up=tuple(Tick(round(TOP + _RELIABILITY * (1 - mark), 1), f"{mark:g}") for mark in marks),
    )


def _across(scale: _Scale, number: int, name: str, figure: Figure, kind: str, decimals: int) -> Mark:
    value = figure.value or 0.0
    low, high = (value if end is None else end for end in (figure.low, figure.high))
    told = f"{name}: {value:.{decimals}f}"
    told += "" if figure.low is None else f" ({low:.{decimals}f} to {high:.{decimals}f})"
    y = TOP + ROW * (number + 0.5)
    return Mark(scale.at(value), y, scale.at(low), scale.at(high), name, kind, told)


class _Scale:
    """From values to places between `begin` and `end`, with round ends."""

    def __init__(self, values: Sequence[float], begin: float, end: float) -> None:
        low, high = min(values), max(values)
        self._step = _round_step(high - low or abs(high) or 1.0)
        self._low = math.floor(low / self._step + 1e-9) * self._step
        self._high = max(math.ceil(high / self._step - 1e-9) * self._step, self._low + self._step)
        self._begin, self._end = begin, end

    def at(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return round(self._begin + share * (self._end - self._begin), 1)

    def ticks(self) -> list[tuple[float, str]]:
        count = round((self._high - self._low) / self._step)
        decimals = max(0, -math.floor(math.log10(self._step) + 1e-9))
        values = (round(self._low + n * self._step, 12) + 0.0 for n in range(count + 1))  # no -0.0
        return [(value, f"{value:.{decimals}f}") for value in values]


def _round_step(span: float) -> float:
    """1, 2 or 5 times a power of ten, so that two to five steps span it."""
    scale = 10.0 ** math.floor(math.log10(span))
    return next(step for step in (scale / 5, scale / 2, scale, scale * 2, scale * 5) if span / step <= 5)
