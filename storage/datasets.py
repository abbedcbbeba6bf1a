"""Reading datasets: a manifest, and the tables that it lists. Readers never glob."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.errors import StoreError
from schemas.manifest import Manifest, TableFile
from schemas.summary import ValidationResult
from schemas.tables import SCHEMAS
from storage.store import Store


@dataclass(frozen=True)
class Dataset:
    """A published dataset. Picklable: it carries the manifest and no data."""

    store: Store
    manifest: Manifest

    def files(self, table: str) -> list[TableFile]:
        """The files of one table, in part order."""
        return [part.tables[table] for part in self.manifest.parts if table in part.tables]

    def rows(self, table: str) -> int:
        """Rows of one table over all parts."""
        return sum(file.rows for file in self.files(table))

    def scan(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """One Arrow table per part, in order, with the columns asked for."""
        for file in self.files(table):
            yield read_table(self.store, file, table, columns)

    def column(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Some narrow columns of the whole table at once. Never ask for text here."""
        parts = list(self.scan(table, columns))
        schema = pa.schema([SCHEMAS[table].field(name) for name in columns])
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def take(self, table: str, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Some rows of a table, by their number over all parts, in the order given.

        Only the row groups that hold them are read: this is how a few texts are shown out of many.
        """
        found: dict[int, pa.Table] = {}
        wanted, offset = sorted(set(rows)), 0
        for file in self.files(table):
            inside = [row - offset for row in wanted if offset <= row < offset + file.rows]
            if inside:
                part = read_rows(self.store, file, table, inside, columns)
                found |= {offset + row: part.slice(at, 1) for at, row in enumerate(inside)}
            offset += file.rows
        fields = [SCHEMAS[table].field(name) for name in columns or SCHEMAS[table].names]
        return pa.concat_tables([found[row] for row in rows]) if rows else pa.schema(fields).empty_table()

    def validation(self) -> ValidationResult:
        """What the expectations said when the dataset was published."""
        path = f"{dataset_folder(self.manifest.stage, self.manifest.fingerprint)}/validation.json"
        return ValidationResult.model_validate_json(self.store.read(path))


def dataset_folder(stage: str, fingerprint: str) -> str:
    """Where a dataset lies in the store."""
    return f"datasets/{stage}/{fingerprint}"


def find_dataset(store: Store, stage: str, fingerprint: str) -> Dataset | None:
    """The dataset, if its manifest stands. Raises StoreError when the manifest or a part of it is damaged."""
    path = f"{dataset_folder(stage, fingerprint)}/manifest.json"
    try:
        manifest = Manifest.model_validate_json(store.read(path))
    except FileNotFoundError:
        return None
    except ValidationError:
        raise StoreError(
            "a manifest is damaged", where=path, fix="Delete this folder and run again."
        ) from None
    for part in manifest.parts:
        for file in part.tables.values():
            if not store.exists(file.path):
                raise StoreError(
                    "a published part is missing from the store",
                    where=file.path,
                    fix=f"Delete {path} and run the same command again: only what is missing is computed.",
                )
    return Dataset(store, manifest)


def read_table(store: Store, file: TableFile, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One part's table. Raises StoreError when the file is missing or is no Parquet file."""
    names = list(SCHEMAS[table].names if columns is None else columns)
    with _parquet(store, file) as source:
        data = source.read(columns=None if columns is None else names, use_threads=False)
    return data.select(names)


def read_rows(
    store: Store, file: TableFile, table: str, rows: Sequence[int], columns: Sequence[str] | None = None
) -> pa.Table:
    """Rows of one part by number (ascending), from the row groups that hold them. Raises StoreError."""
    names = list(SCHEMAS[table].names if columns is None else columns)
    found, offset = [], 0
    with _parquet(store, file) as source:
        for group in range(source.num_row_groups):
            length = source.metadata.row_group(group).num_rows
            inside = [row - offset for row in rows if offset <= row < offset + length]
            if inside:
                found.append(source.read_row_group(group, columns=names, use_threads=False).take(inside))
            offset += length
    return pa.concat_tables(found).select(names)


@contextmanager
def _parquet(store: Store, file: TableFile) -> Iterator[pq.ParquetFile]:
    try:
        with store.open(file.path) as source:
            # One thread and no read-ahead: parts are small, and a part's memory is what a process has to hold.
            yield pq.ParquetFile(source, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:  # gone, cut short, or no Parquet at all
        raise StoreError(
            "a part cannot be read",
            where=file.path,
            fix="Delete it and its dataset's manifest.json, then run again.",
        ) from error
