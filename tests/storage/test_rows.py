"""Single rows of a dataset, by their number over all parts, without the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import StoreError
from schemas.manifest import Manifest, PartRecord
from schemas.tables import SCHEMAS
from storage.datasets import Dataset
from storage.rows import take_rows
from storage.store import Store
from tests.schemas.rows import an_id, table

#: Above the rows of a row group, so that a part has two.
LARGE = 20_000


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    """Messages in parts of 2, 20,000 and 1 rows; the text of each is its number."""
    store, parts, number = Store(str(tmp_path)), [], 0
    (tmp_path / "parts").mkdir()
    for part, size in enumerate((2, LARGE, 1)):
        rows = [{"message_id": an_id(n), "content": str(n)} for n in range(number, number + size)]
        file = store.write_table("parts", f"{part}.parquet", table("messages", *rows))
        parts.append(PartRecord(tables={"messages": file}, tally={}))
        number += size
    manifest = Manifest(
        stage="parse", version=1, fingerprint="f", settings={}, libraries={}, inputs={},
        parts=tuple(parts), summary={},
    )  # fmt: skip
    return Dataset(store, manifest)


def test_rows_come_in_the_order_that_was_asked_for(dataset: Dataset) -> None:
    rows = [LARGE + 2, 0, 17_000, 1, 2, 17_000, LARGE + 1]
    found = take_rows(dataset, "messages", rows, ["content", "message_id"])
    assert found.column_names == ["content", "message_id"]
    assert found["content"].to_pylist() == [str(row) for row in rows]
    assert found["message_id"].to_pylist() == [an_id(row) for row in rows]


def test_no_row_and_all_columns(dataset: Dataset) -> None:
    assert take_rows(dataset, "messages", [], ["content"]).num_rows == 0
    assert take_rows(dataset, "messages", []).schema.equals(SCHEMAS["messages"])
    assert take_rows(dataset, "messages", [3]).column_names == SCHEMAS["messages"].names


def test_a_damaged_part_is_told(dataset: Dataset) -> None:
    path = Path(dataset.store.full(dataset.files("messages")[0].path))
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(StoreError, match="its bytes are not those that were published"):
        take_rows(dataset, "messages", [0], ["content"])
    assert take_rows(dataset, "messages", [5], ["content"])["content"].to_pylist() == ["5"], (
        "others are not touched"
    )
