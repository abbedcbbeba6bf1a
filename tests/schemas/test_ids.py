"""Ids: no two different tuples of fields share an encoding; one JSON form per value."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.ids import canonical_json, hash_bytes, hash_fields, hash_json

TUPLES = st.lists(st.text(alphabet="0123:abăș😀\ud800", max_size=4), max_size=4).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300, derandomize=True)
@given(TUPLES, TUPLES)
def test_different_tuples_have_different_ids(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert (hash_fields(*one) == hash_fields(*other)) == (one == other)


@settings(max_examples=200, derandomize=True)
@given(TUPLES.filter(bool), st.integers(0, 3), st.integers(0, 4))
def test_the_border_between_fields_counts(fields: tuple[str, ...], which: int, place: int) -> None:
    """The hardest neighbours: the same characters, cut into fields elsewhere."""
    which %= len(fields)
    cut = fields[which]
    moved = (*fields[:which], cut[:place], cut[place:], *fields[which + 1 :])
    assert hash_fields(*moved) != hash_fields(*fields)
    joined = "".join(f"{len(field.encode('utf-8', 'surrogatepass'))}:{field}" for field in fields)
    assert hash_fields(joined) != hash_fields(*fields)


def test_ids_are_128_bits_in_hexadecimal_and_never_change() -> None:
    assert re.fullmatch("[0-9a-f]{32}", hash_fields())
    assert hash_fields("example", 7) == hash_fields("example", "7")
    assert hash_bytes(b"vatra") == "577abef3c9733e2ec051afd09fbbeb47"
    assert hash_fields("a", 1) == hash_bytes(b"1:a1:1")


@settings(max_examples=100, derandomize=True)
@given(st.dictionaries(st.text(max_size=3), JSON, max_size=4))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical_json(turned) == canonical_json(value)
    assert hash_json(turned) == hash_json(value)
    assert json.loads(canonical_json(value)) == value


def test_canonical_json_has_no_spaces_and_keeps_letters() -> None:
    assert canonical_json({"b": [1, None], "a": "ș"}) == '{"a":"ș","b":[1,null]}'.encode()
    assert hash_json([1, 2]) != hash_json([2, 1])
