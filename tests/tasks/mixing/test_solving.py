"""The largest mixture that shares allow: against brute force over every size."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import load_build_settings
from schemas.settings.mixing import Share
from tasks.mixing.solving import apportion, bounds, largest, make_up


@st.composite
def demands(draw: st.DrawFn) -> tuple[dict[str, Share], dict[str, int]]:
    """Ranges around their midpoints, as settings make them, and what there is of each."""
    names = "abcde"[: draw(st.integers(1, 5))]
    written = [(draw(st.integers(0, 30)), draw(st.integers(1, 12))) for _ in names]
    whole = sum(Fraction(2 * low + width, 2) for low, width in written)
    shares = {
        name: Share(low / whole, (low + width) / whole, Fraction(2 * low + width, 2) / whole)
        for name, (low, width) in zip(names, written, strict=True)
    }
    return shares, {name: draw(st.integers(0, 60)) for name in names}


def within(share: Share, part: int, size: int) -> bool:
    """Written anew: inside the range, or one of the two whole numbers around a range that holds none."""
    low, high = share.low * size, share.high * size
    if ceil(low) <= floor(high):
        return low <= part <= high
    return part in (floor(high), ceil(low))


def possible(shares: dict[str, Share], available: dict[str, int], size: int) -> bool:
    fits = [
        {n for n in range(available[name] + 1) if within(share, n, size)} for name, share in shares.items()
    ]
    reached = {0}
    for choices in fits:
        reached = {done + more for done in reached for more in choices if done + more <= size}
    return size in reached


def smooth(shares: dict[str, Share], available: dict[str, int], size: int) -> bool:
    most = sum(min(Fraction(available[name]), share.high * size) for name, share in shares.items())
    return most >= size and all(share.low * size <= available[name] for name, share in shares.items())


@settings(max_examples=150, derandomize=True, deadline=None)
@given(demands(), st.integers(0, 200))
def test_the_size_is_the_largest_and_its_parts_lie_within_their_ranges(
    demand: tuple[dict[str, Share], dict[str, int]], limit: int
) -> None:
    shares, available = demand
    size = largest(shares, available, limit)
    sizes = range(min(limit, sum(available.values())) + 1)
    assert size == max(
        (n for n in sizes if smooth(shares, available, n) and possible(shares, available, n)), default=0
    )
    parts = make_up(shares, available, size)
    assert sum(parts.values()) == size
    assert all(within(shares[name], part, size) for name, part in parts.items())
    assert all(part <= available[name] for name, part in parts.items())


@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from("abcde"),
        st.tuples(st.integers(1, 9), st.integers(0, 9), st.integers(0, 20)),
        min_size=1,
    ),
    st.data(),
)
def test_parts_are_proportional_where_nothing_holds_them_back(
    given_parts: dict[str, tuple[int, int, int]], data: st.DataObject
) -> None:
    weights = {name: Fraction(weight) for name, (weight, _, _) in given_parts.items()}
    boxes = {name: (low, low + room) for name, (_, low, room) in given_parts.items()}
    least, most = (sum(box[at] for box in boxes.values()) for at in (0, 1))
    size = data.draw(st.integers(least, most))
    parts = apportion(size, weights, boxes)
    assert sum(parts.values()) == size
    free = [name for name, part in parts.items() if boxes[name][0] < part < boxes[name][1]]
    assert all(low <= parts[name] <= high for name, (low, high) in boxes.items())
    for one in free:
        for other in free:  # at most one example from proportional to one another
            assert (
                abs(parts[one] * weights[other] - parts[other] * weights[one]) < weights[one] + weights[other]
            )


def test_parts_that_cannot_add_up_are_refused() -> None:
    with pytest.raises(ValueError, match="no 5 can be made"):
        apportion(5, {"a": Fraction(1)}, {"a": (0, 4)})


def test_the_ranges_of_the_strategy_are_divided_by_121() -> None:
    shares = load_build_settings("emergent").mix.category_shares
    assert sum(share.middle for share in shares.values()) == 1
    technical = shares["technical"]
    assert technical == (Fraction(25, 121), Fraction(30, 121), Fraction(55, 242))
    assert [round(float(bound) * 100, 1) for bound in technical] == [20.7, 24.8, 22.7]
    assert bounds(technical, 1_000) == (207, 247)
