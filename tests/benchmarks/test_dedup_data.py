"""What `benchmarks.dedup --data` makes of corpora of others: ids of any kind, any order, parents of all sorts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.dedup import judge, read_blocks
from schemas.ids import hash_fields

ROWS = {
    "id": ["3", "1", "2"],
    "text": ["c", "a", "b"],
    "kind": ["near", "original", None],
    "parent": ["1", None, "2"],
}


def written(folder: Path, **columns: Any) -> Path:
    """A corpus of two files."""
    table = pa.table({name: value for name, value in (ROWS | columns).items() if value is not None})
    for number in range(2):
        pq.write_table(table.slice(2 * number, 2), folder / f"part-{number}.parquet")
    return folder


@pytest.mark.parametrize(
    "columns",
    [
        {},
        {"id": [3, 1, 2], "parent": [1, None, 2]},
        {"id": [3, 1, 2], "parent": [1.0, None, 2.0]},
        {"id": [3, 1, 2], "kind": pa.array(ROWS["kind"]).dictionary_encode()},
    ],
)
def test_ids_and_parents_of_any_kind_name_the_same_rows(tmp_path: Path, columns: dict[str, Any]) -> None:
    found = pa.concat_tables(read_blocks(written(tmp_path, **columns), 10)).to_pydict()
    assert found == ROWS


def test_figures_with_children_before_parents_own_parents_and_no_exact_copy() -> None:
    names = [hash_fields("example", name) for name in ("3", "1")]
    clusters = pa.table({"example_id": names, "cluster_id": ["a", "a"]})
    assert judge(pd.DataFrame(ROWS), clusters) == {
        "precision": 1.0, "recall_exact": None, "recall_near": 1.0, "hard_merged": 0
    }  # fmt: skip


@pytest.mark.parametrize(
    ("columns", "message"),
    [({"kind": None}, "has no column kind"), ({"text": ["a", None, "b"]}, "rows without id or text")],
)
def test_a_corpus_that_cannot_be_judged_is_refused_by_name(
    tmp_path: Path, columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(SystemExit, match=message):
        list(read_blocks(written(tmp_path, **columns), 10))


def test_a_folder_without_parquet_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no Parquet file"):
        list(read_blocks(tmp_path, 10))
