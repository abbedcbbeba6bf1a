"""Brings a data set of the Hugging Face hub into the home, at one commit, as Parquet files of our own.

`datasets` streams the rows; nothing of its own cache is kept, and no code of a repository is run (datasets of this
version has no loading scripts). The folder appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from models.hub.cached import RECORD, Fetched, FetchedFile, fetched_folder, read_fetched
from models.quiet import forbid_telemetry, quiet_datasets, quiet_libraries
from schemas.errors import InputError, StageFailed, StoreError, UsageError
from schemas.ids import DIGEST_BYTES
from schemas.settings.sources import Source

#: Rows are asked for in batches, and a file is closed when it holds so many bytes of Arrow memory.
_BATCH = 1000
_FILE_BYTES = 256 << 20
_GROUP_BYTES = 32 << 20
_NETWORK = (ConnectionError, TimeoutError)
_OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "TRANSFORMERS_OFFLINE")


def fetch_dataset(source: Source, cache: Path, report: Callable[[str], None]) -> Fetched:
    """Bring the rows of `source` into the cache and give back the record of what came.

    What stands there whole is kept. Raises UsageError (offline), InputError (no such data set, commit, configuration or
    split; nothing in it), StageFailed (no network, or it broke off), StoreError (the cache cannot be written).
    """
    folder = fetched_folder(cache, source)
    standing = read_fetched(folder)
    if standing is not None:
        report(f"{source.dataset} is here already: {standing.rows:,} rows")
        return standing
    _refuse_offline(source)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".fetching-", dir=folder.parent))
    except OSError as error:
        raise StoreError(f"cannot write to the cache: {error.strerror}", where=str(folder.parent)) from None
    try:
        report(f"fetching {source.dataset} at {(source.revision or '')[:12]}, split {source.split}")
        with _own_cache(cache):
            record = _bring(source, draft, report)
        (draft / RECORD).write_text(json.dumps(record.model_dump(mode="json"), indent=1) + "\n", "utf-8")
        _put_in_place(draft, folder)
    except OSError as error:
        raise StoreError(f"cannot write to the cache: {error.strerror}", where=str(folder.parent)) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    report(f"{source.dataset} is ready: {record.rows:,} rows, license {record.license or 'not stated'}")
    return record


def _refuse_offline(source: Source) -> None:
    set_one = next(
        (name for name in _OFFLINE if os.environ.get(name, "").upper() in ("1", "ON", "YES", "TRUE")), None
    )
    if set_one is not None:
        raise UsageError(
            f"the data set {source.dataset} is not here, and {set_one} forbids to fetch it",
            fix=f"Run it again without {set_one}, with the network up.",
        )


@contextmanager
def _own_cache(cache: Path) -> Iterator[None]:
    """The libraries' caches inside the home, whenever they were imported; no telemetry."""
    forbid_telemetry()
    home = cache / "huggingface"
    os.environ.update(
        HF_HOME=str(home), HF_HUB_CACHE=str(home / "hub"), HF_DATASETS_CACHE=str(home / "datasets")
    )
    import datasets.config
    import huggingface_hub.constants

    constants, config = vars(huggingface_hub.constants), vars(datasets.config)
    kept = {
        name: constants[name]
        for name in ("HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_ASSETS_CACHE")
    }
    settings = {name: config[name] for name in ("HF_CACHE_HOME", "HF_DATASETS_CACHE", "HF_MODULES_CACHE")}
    constants.update(HF_HOME=str(home), HF_HUB_CACHE=str(home / "hub"))
    constants.update(HUGGINGFACE_HUB_CACHE=str(home / "hub"), HF_ASSETS_CACHE=str(home / "assets"))
    config.update(
        HF_CACHE_HOME=str(home), HF_DATASETS_CACHE=home / "datasets", HF_MODULES_CACHE=home / "modules"
    )
    try:
        yield
    finally:
        constants.update(kept)
        config.update(settings)


def _bring(source: Source, draft: Path, report: Callable[[str], None]) -> Fetched:
    """Write the rows into `draft`."""
    with _failures_told(source), quiet_libraries(), quiet_datasets():
        license_ = _license(source)
        stream = _open(source)
        writer = _Writer(draft)
        for table in stream:
            writer.write(table)
        files = writer.close()
    rows = sum(file.rows for file in files)
    if not rows:
        raise InputError(
            "the data set holds no row", where=_where(source), fix="Check config, split and data_files."
        )
    return Fetched(
        dataset=source.dataset or "",
        revision=source.revision or "",
        config=source.config,
        split=source.split,
        data_files=source.data_files,
        first_rows=source.rows,
        license=license_,
        columns=tuple(writer.columns),
        rows=rows,
        files=tuple(files),
    )


def _open(source: Source) -> Iterator[pa.Table]:
    """The rows as Arrow tables, streamed."""
    from datasets import load_dataset

    loaded: Any = load_dataset(
        source.dataset,
        source.config,
        revision=source.revision,
        split=source.split,
        data_files=list(source.data_files) or None,
        streaming=True,
    )
    if source.rows is not None:
        loaded = loaded.take(source.rows)
    yield from loaded.with_format("arrow").iter(batch_size=_BATCH)


def _license(source: Source) -> str | None:
    """What the data set's card says at this commit, with the commit itself checked: it must be one, and the named."""
    from huggingface_hub import HfApi

    info = HfApi().dataset_info(source.dataset or "", revision=source.revision)
    if info.sha != source.revision:
        raise InputError(
            f"the hub answers with another commit ({info.sha})",
            where=_where(source),
            fix="Name a full commit.",
        )
    said = info.card_data.get("license") if info.card_data is not None else None
    return ", ".join(map(str, said)) if isinstance(said, list) else str(said) if said else None


class _Writer:
    """Parquet files of bounded size, each with its digest."""

    def __init__(self, folder: Path) -> None:
        self.columns: list[str] = []
        self._folder, self._schema = folder, None
        self._pending: list[pa.Table] = []
        self._bytes = self._written = 0
        self._file: Any = None
        self._files: list[FetchedFile] = []

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if self._schema is None:
            self._schema, self.columns = table.schema, list(table.schema.names)
        self._pending.append(table.cast(self._schema))
        self._bytes += table.nbytes
        if self._bytes >= _GROUP_BYTES:
            self._flush()
        if self._written >= _FILE_BYTES:
            self._finish()

    def close(self) -> list[FetchedFile]:
        """All files."""
        self._flush()
        self._finish()
        return self._files

    def _flush(self) -> None:
        import pyarrow.parquet as pq

        if not self._pending:
            return
        if self._file is None:
            path = self._folder / f"part-{len(self._files):05d}.parquet"
            self._file = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._file.write_table(pa.concat_tables(self._pending))
        self._written += self._bytes
        self._pending, self._bytes = [], 0

    def _finish(self) -> None:
        import pyarrow.parquet as pq

        if self._file is None:
            return
        self._file.close()
        path = self._folder / f"part-{len(self._files):05d}.parquet"
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()
        rows = pq.read_metadata(path).num_rows
        self._files.append(FetchedFile(name=path.name, digest=digest, rows=rows, bytes=path.stat().st_size))
        self._file, self._written = None, 0


@contextmanager
def _failures_told(source: Source) -> Iterator[None]:
    """What the libraries raise, as one line about the data set."""
    import httpx
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub import errors

    where, nothing = _where(source), "Nothing was kept; run the same command again."
    try:
        yield
    except (DatasetNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
        fix = "Check the name and the commit. A gated or private set needs `hf auth login`."
        raise InputError("no such data set, or no such commit", where=where, fix=fix) from None
    except (*_NETWORK, httpx.HTTPError, errors.HfHubHTTPError, errors.OfflineModeIsEnabled) as error:
        raise StageFailed(
            f"could not fetch ({type(error).__name__})", where=where, fix=f"Is the network up? {nothing}"
        ) from None
    except (ValueError, DatasetsError, FileNotFoundError, pa.ArrowInvalid) as error:
        what = " ".join(str(error).split())[:200]
        raise InputError(
            f"cannot be read: {what}", where=where, fix="Check config, split and data_files."
        ) from None


def _where(source: Source) -> str:
    return f"{source.dataset} at {(source.revision or '')[:12]}"


def _put_in_place(draft: Path, folder: Path) -> None:
    """Rename the finished draft to its place; a damaged folder there makes way first."""
    draft.chmod(0o755)  # mkdtemp makes a folder for its owner alone
    if folder.exists():
        folder.rename(draft.with_name(f"{draft.name}.old"))
    draft.rename(folder)
    shutil.rmtree(draft.with_name(f"{draft.name}.old"), ignore_errors=True)
