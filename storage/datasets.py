"""Reading datasets: a manifest, and the tables that it lists. Readers never glob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from schemas.errors import StoreError
from schemas.manifest import Manifest, PartRecord, TableFile
from schemas.summary import ValidationResult
from schemas.tables import SCHEMAS
from storage.store import Store

_AGAIN = "run the same build again: only what is missing is computed."


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

    def part(self, table: str, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """One part, with the columns asked for; `a.list.element.b` reads but that leaf of column `a`."""
        return read_table(self.store, self.files(table)[number], table, columns)

    def column(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Some narrow columns of the whole table at once. Never ask for text here."""
        parts = list(self.scan(table, columns))
        schema = pa.schema([SCHEMAS[table].field(name) for name in columns])
        return pa.concat_tables(parts) if parts else schema.empty_table()

    def validation(self) -> ValidationResult:
        """What the expectations said when the dataset was published. Raises StoreError when that is lost."""
        return read_validation(self.store, self.manifest.stage, self.manifest.fingerprint)


def dataset_folder(stage: str, fingerprint: str) -> str:
    """Where a dataset lies in the store."""
    return f"datasets/{stage}/{fingerprint}"


def read_manifest(store: Store, stage: str, fingerprint: str) -> Manifest | None:
    """The manifest, if it stands. Raises StoreError when it is damaged."""
    path = f"{dataset_folder(stage, fingerprint)}/manifest.json"
    try:
        return Manifest.model_validate_json(store.read(path))
    except FileNotFoundError:
        return None
    except ValidationError:
        raise StoreError("a manifest is damaged", where=path, fix=_AGAIN.capitalize()) from None


def read_validation(store: Store, stage: str, fingerprint: str) -> ValidationResult:
    """What the expectations said of a dataset. Raises StoreError when that is missing or damaged."""
    path = f"{dataset_folder(stage, fingerprint)}/validation.json"
    try:
        return ValidationResult.model_validate_json(store.read(path))
    except (FileNotFoundError, ValidationError):
        raise StoreError(
            "what the expectations said is missing or damaged", where=path, fix=_AGAIN.capitalize()
        ) from None


def is_whole(store: Store, parts: Iterable[PartRecord]) -> bool:
    """Whether all files of the parts are there, with the size that they were published with."""
    return all(store.size(file.path) == file.bytes for part in parts for file in part.tables.values())


def find_dataset(store: Store, stage: str, fingerprint: str) -> Dataset | None:
    """The dataset, if its manifest stands. Raises StoreError when the manifest or a part of it is damaged."""
    manifest = read_manifest(store, stage, fingerprint)
    if manifest is None:
        return None
    if not is_whole(store, manifest.parts):
        files = (file for part in manifest.parts for file in part.tables.values())
        path = next(file.path for file in files if store.size(file.path) != file.bytes)
        raise StoreError("a published part is missing or cut short", where=path, fix=_AGAIN.capitalize())
    return Dataset(store, manifest)


#: Files whose digest was compared in this process, and their state then: each is read through once.
_verified: dict[tuple[str, str, str], str] = {}


def verify(store: Store, file: TableFile) -> None:
    """Compare a file's bytes with what was published; once per process, as long as the file stays as it is.

    Raises StoreError for bytes that are not those: they are moved out of the way, so that the next run makes them anew.
    """
    key = (store.url, file.path, file.digest)
    try:
        state = store.state(file.path)
        if _verified.get(key) == state:
            return
        found = store.digest(file.path)
    except FileNotFoundError:
        raise StoreError("a published part is missing", where=file.path, fix=_AGAIN.capitalize()) from None
    if found != file.digest:
        aside = store.set_aside(file.path)
        raise StoreError(
            "a part is damaged: its bytes are not those that were published",
            where=file.path,
            fix=f"It was moved to {aside}; {_AGAIN}",
        )
    _verified[key] = state


def read_table(store: Store, file: TableFile, table: str, columns: Sequence[str] | None = None) -> pa.Table:
    """One part's table. Raises StoreError when the file is missing, or is not what was published."""
    verify(store, file)
    try:
        with store.open(file.path) as source:
            # One thread and no read-ahead: parts are small, and a part's memory is what a process has to hold.
            data = pq.ParquetFile(source, pre_buffer=False).read(
                columns=None if columns is None else list(columns), use_threads=False
            )
    except (OSError, pa.ArrowException) as error:
        raise unreadable(file) from error
    names = (
        SCHEMAS[table].names
        if columns is None
        else list(dict.fromkeys(name.partition(".")[0] for name in columns))
    )
    return data.select(names)


def unreadable(file: TableFile) -> StoreError:
    """The error for a part that the system, or Arrow, refuses to read."""
    return StoreError("a part cannot be read", where=file.path, fix=_AGAIN.capitalize())
