"""Reading datasets: a manifest, and the tables that it lists. Readers never glob."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    try:
        with store.open(file.path) as source:
            # One thread and no read-ahead: parts are small, and a part's memory is what a process has to hold.
            data = pq.ParquetFile(source, pre_buffer=False).read(
                columns=None if columns is None else list(columns), use_threads=False
            )
    except (OSError, pa.ArrowException) as error:  # gone, cut short, or no Parquet at all
        raise StoreError(
            "a part cannot be read",
            where=file.path,
            fix="Delete it and its dataset's manifest.json, then run again.",
        ) from error
    names = SCHEMAS[table].names if columns is None else columns
    return data.select(list(names))
