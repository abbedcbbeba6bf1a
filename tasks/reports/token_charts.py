"""Geometry of charts with a column for every token: as wide as the text needs, for the page to scroll."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from schemas.visible import visible

#: The narrowest column whose label can be read; a short text has wider ones.
NARROW, WIDE, PAGE = 15.0, 56.0, 1000
#: Of the canvas; the left margin holds a label like -0.00045.
LEFT, TOP, PLOT, LABELS = 62, 8, 150, 78
#: Characters of a token that a label shows; the whole token is told on hover.
LABEL = 13
_SPACES = {" ": "␣", "\n": "⏎", "\t": "⇥", "\r": "␍"}


@dataclass(frozen=True)
class Bar:
    """A rectangle in canvas units, in the colour of the series with this number (-1: what speaks against)."""

    x: float
    y: float
    width: float
    height: float
    series: int


@dataclass(frozen=True)
class Column:
    """A token's place: its label, and what is told on hover."""

    x: float
    middle: float
    label: str
    title: str


@dataclass(frozen=True)
class TokenChart:
    """Bars over columns. `lines` are heights of the grid with their labels, `zero` that of the axis."""

    width: float
    height: float
    step: float
    bars: tuple[Bar, ...]
    columns: tuple[Column, ...]
    lines: tuple[tuple[float, str], ...]
    zero: float
    title: str
    left: int = LEFT
    top: int = TOP
    base: int = TOP + PLOT


def stacked_chart(labels: Sequence[str], alpha: np.ndarray, members: Sequence[str]) -> TokenChart:
    """Weights [T, N] that sum to 1, one on the other: the core at the bottom."""
    step = _step(len(labels))
    bars, columns = [], []
    for number, (label, weights) in enumerate(zip(labels, alpha.tolist(), strict=True)):
        x, under = LEFT + number * step, 0.0
        for member, weight in enumerate(weights):
            height = PLOT * weight
            if height >= 0.05:
                y = TOP + PLOT - under - height
                bars.append(Bar(round(x, 1), round(y, 1), round(step + 0.2, 1), round(height, 1), member))
            under += height
        columns.append(_column(x, step, label, told_weights(members, weights)))
    lines = tuple((round(TOP + PLOT * (1 - share), 1), f"{share:g}") for share in (0, 0.5, 1))
    return _chart(step, bars, columns, lines, TOP + PLOT, "The members' weights at every token")


def signed_chart(labels: Sequence[str], values: Sequence[float], series: int, title: str) -> TokenChart:
    """A bar up or down for every token; the grid says the largest."""
    step, most = _step(len(labels)), max((abs(value) for value in values), default=0.0) or 1.0
    zero, half = TOP + PLOT / 2, PLOT / 2
    bars, columns = [], []
    for number, (label, value) in enumerate(zip(labels, values, strict=True)):
        x, height = LEFT + number * step, half * abs(value) / most
        y = zero - height if value > 0 else zero
        bars.append(
            Bar(
                round(x + 1, 1),
                round(y, 1),
                round(step - 2, 1),
                round(height, 1),
                series if value > 0 else -1,
            )
        )
        columns.append(_column(x, step, label, f"{value:+.4f}"))
    lines = tuple((zero - half * part, f"{most * part:+.2g}" if part else "0") for part in (1, 0, -1))
    return _chart(step, bars, columns, lines, zero, title)


def told_weights(members: Sequence[str], weights: Sequence[float]) -> str:
    """`sora 0.93, nova 0.05`, the largest first; eight at most."""
    ranked = sorted(zip(members, weights, strict=True), key=lambda one: -one[1])
    return ", ".join(f"{visible(name, 40)} {weight:.2f}" for name, weight in ranked[:8])


def told_share(share: float) -> str:
    """`85%`; below 10% with a decimal, and never 0% or 100% for what is not."""
    if share in (0, 1):
        return f"{share:.0%}"
    if share < 0.0005:
        return "<0.1%"
    return f"{min(share, 0.999):.1%}" if share < 0.1 or share > 0.99 else f"{share:.0%}"


def short_label(label: str, keep: bool = False) -> str:
    """A token as it fits under its column: blanks as signs, the end cut off. `keep`: the space before it too."""
    words = label if keep else label.strip(" ") or label
    words = "".join(_SPACES.get(character, character) for character in words)
    shown = visible(words, len(words))
    return shown if len(shown) <= LABEL else f"{shown[: LABEL - 1]}…"


def _column(x: float, step: float, label: str, told: str) -> Column:
    return Column(
        round(x, 1), round(x + step / 2 + 3, 1), short_label(label), f"{visible(label, 80)} · {told}"
    )


def _step(tokens: int) -> float:
    return round(min(WIDE, max(NARROW, (PAGE - LEFT) / max(tokens, 1))), 1)


def _chart(
    step: float,
    bars: Sequence[Bar],
    columns: Sequence[Column],
    lines: tuple[tuple[float, str], ...],
    zero: float,
    title: str,
) -> TokenChart:
    width = round(LEFT + step * len(columns) + 8, 1)
    return TokenChart(width, TOP + PLOT + LABELS, step, tuple(bars), tuple(columns), lines, zero, title)
