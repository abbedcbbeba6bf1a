"""Where a fetched data set lies in the home's cache, and what is written down of it."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from schemas.errors import MissingModel
from schemas.ids import hash_fields
from schemas.settings.sources import Source

RECORD = "fetched.json"


class FetchedFile(BaseModel):
    """One Parquet file of a fetched data set, and the digest (BLAKE2b-128) of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    digest: str
    rows: int
    bytes: int


class Fetched(BaseModel):
    """What was fetched: from where, at which commit, how much. It is put last: without it a folder holds nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    revision: str
    config: str | None
    split: str
    data_files: tuple[str, ...]
    first_rows: int | None
    license: str | None
    columns: tuple[str, ...]
    rows: int
    files: tuple[FetchedFile, ...]


def fetched_folder(cache: Path, source: Source) -> Path:
    """The folder of a data set at a commit, in one configuration and split. It need not stand."""
    assert source.dataset is not None
    assert source.revision is not None
    which = hash_fields(source.config or "", source.split, source.rows or 0, *source.data_files)
    name = source.dataset.replace("/", "--")
    return cache / "sets" / name / f"{source.revision}-{which[:12]}"


def read_fetched(folder: Path) -> Fetched | None:
    """The record of a folder, when it stands with all its files; None when there is nothing, or something damaged."""
    try:
        record = Fetched.model_validate_json((folder / RECORD).read_bytes())
        whole = all((folder / file.name).stat().st_size == file.bytes for file in record.files)
    except (OSError, ValidationError):
        return None
    return record if whole else None


def find_fetched(cache: Path, source: Source) -> Path:
    """The folder of Parquet files of a data set. Raises MissingModel when it is not on this machine."""
    folder = fetched_folder(cache, source)
    if read_fetched(folder) is None:
        raise MissingModel(
            f"the data set {source.dataset} at {(source.revision or '')[:12]} is not on this machine",
            where=str(folder),
            fix="Run `vatra fetch --sources FILE` once, with the network up.",
        )
    return folder
