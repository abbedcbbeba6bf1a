"""Ids as numbers: the same ids, the same order, and hashes that are equal everywhere."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.mixing.ids import Finder, Ids, draw, one_id, place_of, read_ids, write_ids
from tests.schemas.rows import an_id

NAMES = [an_id(number) for number in range(500)]
#: Written down once: another machine, engine or version of numpy must draw the same.
DRAWN = ["0x197e0c603a027dce", "0x1d03b80cccb4281e"]


def ids_of(names: list[str]) -> Ids:
    return read_ids(pa.chunked_array([pa.array(names, pa.string())]))


@settings(max_examples=60, derandomize=True, deadline=None)
@given(st.lists(st.integers(0, (1 << 128) - 1), max_size=20), st.integers(0, 20))
def test_ids_come_back_as_they_were_and_sort_as_their_digits(numbers: list[int], cut: int) -> None:
    names = [f"{number:032x}" for number in numbers]
    array = pa.array(names, pa.string())
    found = read_ids(pa.chunked_array([array.slice(0, cut), array.slice(cut)]))
    assert write_ids(found).to_pylist() == names
    assert [(int(h), int(low)) for h, low in zip(*found, strict=True)] == [one_id(name) for name in names]
    order = np.lexsort((found.low, found.high))
    assert [names[at] for at in order] == sorted(names)


def test_draws_are_these_on_every_machine() -> None:
    first = ids_of([an_id(0), an_id(1)])
    assert [hex(value) for value in draw(first, 42, "split")] == DRAWN
    assert not set(draw(first, 43, "split")) & set(draw(first, 42, "split"))
    assert not set(draw(first, 42, "draw")) & set(draw(first, 42, "split"))


def test_draws_are_evenly_spread() -> None:
    places = place_of(draw(ids_of([an_id("x", n) for n in range(4_000)]), 1, "split"))
    assert 0 <= places.min() < places.max() < 1
    assert np.histogram(places, bins=10, range=(0, 1))[0].min() > 330


def test_rows_are_found_also_where_ids_share_their_first_half() -> None:
    alike = [f"{'0' * 16}{n:016x}" for n in (3, 1, 2)]
    finder = Finder(ids_of([*NAMES, *alike]))
    assert list(finder.rows(ids_of([alike[2], NAMES[7], an_id("absent"), alike[0], f"{4:032x}"]))) == [
        502,
        7,
        -1,
        500,
        -1,
    ]
    assert list(Finder(ids_of([])).rows(ids_of(NAMES[:2]))) == [-1, -1]
