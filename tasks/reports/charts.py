"""Geometry of the charts: from counts to boxes on a canvas of fixed size. The template draws them as SVG.

Canvases are as wide as a small phone, so that their labels stay legible there; wider screens enlarge them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tasks.reports.statistics import LENGTH_EDGES, TOXICITY_BINS

WIDTH, HEIGHT = 360, 190
LEFT, RIGHT, TOP, BOTTOM = 34, 6, 18, 24
PLOT_WIDTH, PLOT_HEIGHT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM


@dataclass(frozen=True)
class Box:
    """A bar, in canvas units; `kind` picks its colour, `title` is shown on hover."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    label: str


@dataclass(frozen=True)
class Chart:
    """Bars, axes, and perhaps a vertical line. `title` says in words what is to be seen."""

    title: str
    boxes: tuple[Box, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    line: Tick | None = None
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT
    top: int = TOP
    base: int = HEIGHT - BOTTOM


def toxicity_chart(role: str, counts: Sequence[int], threshold: float | None) -> Chart:
    """Scores of one role in 20 bins; heights are logarithmic, for most messages score next to nothing."""
    most = max([*counts, 1])
    step = PLOT_WIDTH / TOXICITY_BINS
    boxes = []
    for i, count in enumerate(counts):
        low, high = i / TOXICITY_BINS, (i + 1) / TOXICITY_BINS
        over = threshold is not None and low >= threshold - 1e-9
        title = f"{low:.2f} to {high:.2f}: {count:,}"
        boxes.append(
            _box(LEFT + i * step, step, _log_height(count, most), "over" if over else "under", title)
        )
    return Chart(
        title=f"Toxicity of {role} messages: {sum(counts):,} scored",
        boxes=tuple(box for box in boxes if box.height),
        across=tuple(Tick(round(LEFT + x * PLOT_WIDTH, 1), f"{x:g}") for x in (0, 0.2, 0.4, 0.6, 0.8, 1)),
        up=_log_ticks(most),
        line=None
        if threshold is None
        else Tick(round(LEFT + threshold * PLOT_WIDTH, 1), f"threshold {threshold:g}"),
    )


def length_chart(series: Mapping[str, Sequence[int]]) -> Chart:
    """Lengths in characters of several roles, side by side in 1-2-5 bins."""
    bins = len(LENGTH_EDGES) + 1
    most = max([max(counts, default=0) for counts in series.values()] + [1])
    step = PLOT_WIDTH / bins
    width = step / max(len(series), 1)
    boxes = []
    for k, (role, counts) in enumerate(series.items()):
        for i, count in enumerate(counts):
            title = f"{role}, {length_range(i)} characters: {count:,}"
            height = PLOT_HEIGHT * count / most
            boxes.append(_box(LEFT + i * step + k * width, width, height, role, title))
    marks = {1: "1", 4: "10", 7: "100", 10: "1k", 13: "10k", 16: "100k"}
    return Chart(
        title="Messages by length in characters",
        boxes=tuple(box for box in boxes if box.height),
        across=tuple(Tick(round(LEFT + i * step, 1), label) for i, label in marks.items()),
        up=tuple(Tick(_at(PLOT_HEIGHT * n / most), _short(n)) for n in _round_steps(most)),
    )


def length_range(index: int) -> str:
    """The lengths of one bin, as people write them."""
    low = 0 if index == 0 else LENGTH_EDGES[index - 1]
    if index == len(LENGTH_EDGES):
        return f"{low:,} or more"
    high = LENGTH_EDGES[index] - 1
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _box(x: float, width: float, height: float, kind: str, title: str) -> Box:
    gap = min(1.5, width / 6)
    # A single message is still to be seen beside a thousand.
    height = max(height, 1.5) if height else 0
    return Box(round(x + gap / 2, 1), _at(height), round(width - gap, 1), round(height, 1), kind, title)


def _at(height: float) -> float:
    return round(HEIGHT - BOTTOM - height, 1)


def _log_height(count: int, most: int) -> float:
    return PLOT_HEIGHT * math.log1p(count) / math.log1p(most)


def _log_ticks(most: int) -> tuple[Tick, ...]:
    powers = [10**n for n in range(1 + int(math.log10(most)))]
    step = 1 + (len(powers) - 1) // 5
    return tuple(Tick(_at(_log_height(n, most)), _short(n)) for n in powers[::step])


def _round_steps(most: int) -> list[int]:
    """Two to five round numbers up to `most`."""
    scale = 10 ** int(math.log10(most))
    step = next(s for s in (scale // 5, scale // 2, scale, scale * 2) if s and most // s <= 4)
    return list(range(step, most + 1, step))


def _short(count: int) -> str:
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)
