"""How many of what: the largest mixture that shares allow, and how it is made up. Whole numbers and exact fractions.

Parts of a mixture of n examples are whole numbers. A part lies within its share when low * n <= part <= high * n; where
no whole number lies there, the two next to it will do.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import ceil, floor

from schemas.settings.mixing import Share

Shares = Mapping[str, Share]
Counts = Mapping[str, int]


def bounds(share: Share, size: int) -> tuple[int, int]:
    """The least and the most of `size` examples that lie within a share."""
    low, high = ceil(share.low * size), floor(share.high * size)
    return (low, high) if low <= high else (high, low)


def largest(shares: Shares, available: Counts, limit: int) -> int:
    """The size of the largest mixture, at most `limit`, in which every part lies within its share and is there.

    Sizes that fractions of examples would allow reach from 0 to some largest one, of which whole numbers may fall
    short by a few.
    """
    low, high = 0, max(0, limit)
    while low < high:  # the sizes that fractions allow have no gap
        middle = (low + high + 1) // 2
        if _fits(shares, available, middle):
            low = middle
        else:
            high = middle - 1
    while low and not _fits_whole(shares, available, low):
        low -= 1
    return low


def _fits(shares: Shares, available: Counts, size: int) -> bool:
    most = sum(min(Fraction(available[name]), share.high * size) for name, share in shares.items())
    return most >= size and all(share.low * size <= available[name] for name, share in shares.items())


def _fits_whole(shares: Shares, available: Counts, size: int) -> bool:
    boxes = {name: bounds(share, size) for name, share in shares.items()}
    least = sum(low for low, _ in boxes.values())
    most = sum(min(high, available[name]) for name, (_, high) in boxes.items())
    return least <= size <= most and all(low <= available[name] for name, (low, _) in boxes.items())


def make_up(shares: Shares, available: Counts, size: int) -> dict[str, int]:
    """The parts of a mixture of `size` (one that `largest` allows): as near to the middles as can be."""
    boxes = {}
    for name, share in shares.items():
        low, high = bounds(share, size)
        boxes[name] = (low, min(high, available[name]))
    return apportion(size, {name: share.middle for name, share in shares.items()}, boxes)


def apportion(
    size: int, weights: Mapping[str, Fraction], boxes: Mapping[str, tuple[int, int]]
) -> dict[str, int]:
    """`size` in whole parts proportional to the weights (above 0), as far as each part's least and most allow.

    Raises ValueError when the least parts are too many or the most too few.
    """
    if not sum(low for low, _ in boxes.values()) <= size <= sum(high for _, high in boxes.values()):
        raise ValueError(f"no {size} can be made of these parts")
    exact = _level(size, weights, boxes)
    parts = {name: floor(value) for name, value in exact.items()}
    by_remainder = sorted(exact, key=lambda name: (parts[name] - exact[name], name))
    for name in by_remainder[: size - sum(parts.values())]:
        parts[name] += 1
    return parts


def _level(
    size: int, weights: Mapping[str, Fraction], boxes: Mapping[str, tuple[int, int]]
) -> dict[str, Fraction]:
    """Parts that add up to `size`: proportional to the weights, where the boxes do not hold them back.

    The parts grow together with one factor; where it passes the bound of a box, its part begins or ends to grow.
    """
    turns = sorted({Fraction(bound) / weights[name] for name, box in boxes.items() for bound in box})

    def parts(factor: Fraction) -> dict[str, Fraction]:
        return {
            name: min(max(weights[name] * factor, Fraction(low)), Fraction(high))
            for name, (low, high) in boxes.items()
        }

    below = Fraction(0)
    for turn in turns:
        if sum(parts(turn).values()) >= size:
            low, high = parts(below), parts(turn)
            gained = sum(high.values()) - sum(low.values())
            part = Fraction(size - sum(low.values())) / gained if gained else Fraction(0)
            return {name: low[name] + Fraction(part * (high[name] - low[name])) for name in boxes}
        below = turn
    return parts(below)
