"""Single rows of a dataset: how a few texts are shown out of many."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.manifest import TableFile
from schemas.tables import SCHEMAS
from storage.datasets import Dataset, unreadable, verify
from storage.store import Store


def take_rows(
    dataset: Dataset, table: str, rows: Sequence[int], columns: Sequence[str] | None = None
) -> pa.Table:
    """Some rows of a table, by their number over all parts, in the order given.

    Only the row groups that hold them are read. Raises StoreError.
    """
    names = list(columns or SCHEMAS[table].names)
    found: dict[int, pa.Table] = {}
    wanted, offset = sorted(set(rows)), 0
    for file in dataset.files(table):
        inside = [row - offset for row in wanted if offset <= row < offset + file.rows]
        if inside:
            part = _read_rows(dataset.store, file, inside, names)
            found |= {offset + row: part.slice(at, 1) for at, row in enumerate(inside)}
        offset += file.rows
    if not rows:
        return pa.schema([SCHEMAS[table].field(name) for name in names]).empty_table()
    return pa.concat_tables([found[row] for row in rows])


def _read_rows(store: Store, file: TableFile, rows: Sequence[int], names: list[str]) -> pa.Table:
    """Rows of one part by number (ascending)."""
    verify(store, file)
    found, offset = [], 0
    try:
        with store.open(file.path) as source:
            parquet = pq.ParquetFile(source, pre_buffer=False)
            for group in range(parquet.num_row_groups):
                length = parquet.metadata.row_group(group).num_rows
                inside = [row - offset for row in rows if offset <= row < offset + length]
                if inside:
                    found.append(parquet.read_row_group(group, columns=names, use_threads=False).take(inside))
                offset += length
    except (OSError, pa.ArrowException) as error:
        raise unreadable(file) from error
    return pa.concat_tables(found).select(names)
