"""Trends over builds: the kept share as a line, drops by reason as stacked bars. Geometry only."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tasks.reports.charts import BOTTOM, HEIGHT, PLOT_HEIGHT, RIGHT, WIDTH, Box, Tick
from tasks.reports.lines import BuildLine
from tasks.reports.reasons import percent, reason_title

#: Room for `100%` on the left.
LEFT = 42
PLOT_WIDTH = WIDTH - LEFT - RIGHT
#: So many builds at most are drawn: more would be a blur on a phone.
SHOWN = 60
#: Reasons with a colour of their own; the rest are drawn together.
REASONS = 5
OTHER = "other reasons"
STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5)


@dataclass(frozen=True)
class Point:
    """A build on the line."""

    x: float
    y: float
    title: str
    build: str


@dataclass(frozen=True)
class Trends:
    """Both drawings share the x axis: `first` and `last` are its ends. `legend` pairs colour and reason."""

    builds: int
    left_out: int
    first: str
    last: str
    points: tuple[Point, ...]
    kept_ticks: tuple[Tick, ...]
    boxes: tuple[Box, ...]
    drop_ticks: tuple[Tick, ...]
    legend: tuple[tuple[str, str], ...]


def day(created: str, pattern: str = "%d %b %Y") -> str:
    """`21 Nov 2026`, or the text as it is when it is no time."""
    try:
        return f"{datetime.fromisoformat(created):{pattern}}"
    except ValueError:
        return created


def draw_trends(lines: Sequence[BuildLine]) -> Trends | None:
    """The newest builds whose messages were decided, from old to new; None for fewer than two."""
    decided = [line for line in lines if line.kept is not None]
    shown = list(reversed(decided[:SHOWN]))
    if len(shown) < 2:
        return None
    points, kept_ticks = _kept(shown)
    boxes, drop_ticks, legend = _drops(shown)
    return Trends(
        len(shown), len(decided) - len(shown), day(shown[0].created), day(shown[-1].created),
        points, kept_ticks, boxes, drop_ticks, legend,
    )  # fmt: skip


def _kept(shown: Sequence[BuildLine]) -> tuple[tuple[Point, ...], tuple[Tick, ...]]:
    shares = [line.kept or 0.0 for line in shown]
    least, most = min(shares), max(shares)
    step = next((s for s in STEPS if s >= 0.01 and (most - least) / s <= 3), 0.5)
    # The axis does not begin at 0: what is looked for is movement, and the labels say where it ends.
    low, high = math.floor(least / step), math.ceil(most / step)
    low, high = (low, high) if low < high else (max(low - 1, 0), max(high, 1))
    width = PLOT_WIDTH / len(shown)
    points = tuple(
        Point(round(LEFT + (i + 0.5) * width, 1), _at((share / step - low) / (high - low)), _told(line), line.build)
        for i, (line, share) in enumerate(zip(shown, shares, strict=True))
    )  # fmt: skip
    ticks = tuple(Tick(_at((n - low) / (high - low)), f"{100 * n * step:g}%") for n in range(low, high + 1))
    return points, ticks


def _told(line: BuildLine) -> str:
    total = sum(line.messages.parsed.values())
    share = percent(line.messages.kept, total)
    return f"{day(line.created)}: {share} kept, {line.messages.kept:,} of {total:,} messages"


def _drops(
    shown: Sequence[BuildLine],
) -> tuple[tuple[Box, ...], tuple[Tick, ...], tuple[tuple[str, str], ...]]:
    """Bars stacked by reason; heights are shares of the build's parsed messages."""
    # By titles: two reasons of one title are one to a person.
    drops = [_by_title(line) for line in shown]
    weight: Counter[str] = Counter()
    for shares in drops:
        weight.update(shares)
    named = [name for name, _ in sorted(weight.items(), key=lambda item: (-item[1], item[0]))[:REASONS]]
    kinds = {name: f"d{place}" for place, name in enumerate(named, 1)}
    most = max(max((sum(line.values()) for line in drops), default=0.0), 0.001)
    width = PLOT_WIDTH / len(shown)
    gap = min(2.0, width / 5)
    boxes = []
    for i, (line, shares) in enumerate(zip(shown, drops, strict=True)):
        base = 0.0
        others = sum(share for name, share in shares.items() if name not in kinds)
        for name in [*named, OTHER]:
            share = shares.get(name, 0.0) if name in kinds else others
            if share <= 0:
                continue
            top = base + share
            title = f"{day(line.created)}: {name}, {100 * share:.1f}% of messages"
            boxes.append(
                Box(
                    round(LEFT + i * width + gap / 2, 2), _at(top / most), round(width - gap, 2),
                    round(PLOT_HEIGHT * share / most, 1), kinds.get(name, "d6"), title,
                )
            )  # fmt: skip
            base = top
    step = next((s for s in STEPS if most / s <= 4), 0.5)
    ticks = [Tick(_at(n * step / most), f"{100 * n * step:g}%") for n in range(int(most / step + 1e-9) + 1)]
    legend = [(kind, name) for name, kind in kinds.items()]
    if len(weight) > len(named):
        legend.append(("d6", OTHER))
    return tuple(boxes), tuple(ticks), tuple(legend)


def _by_title(line: BuildLine) -> dict[str, float]:
    total = sum(line.messages.parsed.values()) or 1
    found: dict[str, float] = {}
    for reason, count in line.messages.dropped.items():
        title = reason_title(reason)
        found[title] = found.get(title, 0.0) + count / total
    return found


def _at(share: float) -> float:
    return round(HEIGHT - BOTTOM - PLOT_HEIGHT * share, 1)
