"""Work over parts: whatever finishes first, every part's answer comes once, and the house's errors come through."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from schemas.errors import StoreError
from tasks.dedup.fanning import over_parts
from tests.schemas.rows import MemoryDataset, table


def contents(messages: pa.ChunkedArray) -> bytes:
    return " ".join(line["content"] for example in messages.to_pylist() for line in example).encode()


def test_rows_that_are_wanted_of_parts_that_have_some() -> None:
    parts = [
        table("examples", *({"messages": [{"role": "user", "content": f"{p}{n}"}]} for n in "abc"))
        for p in "xyz"
    ]
    rows = [np.array([0, 2]), np.array([], np.int64), np.array([1])]
    answers = {number: bytes(made) for number, made in over_parts(MemoryDataset(parts), rows, contents)}
    assert answers == {0: b"xa xc", 2: b"zb"}
    assert not list(over_parts(MemoryDataset(parts), [np.array([], np.int64)] * 3, contents))


class Damaged:
    def part(self, table: str, number: int, columns: Sequence[str]) -> pa.Table:
        raise StoreError("a part is damaged", where="datasets/assemble/parts/examples.parquet")


def test_the_error_of_a_damaged_part_comes_through() -> None:
    with pytest.raises(StoreError, match="a part is damaged"):
        list(over_parts(Damaged(), [np.array([0])], contents))
