"""The store: a folder or an object-store URL, reached through fsspec.

Nothing is overwritten. Publication is one function per kind of file system: `link` on a disk (atomic, fails if
the name is taken), an exclusive create elsewhere (`If-None-Match: *` on S3).
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreError, UsageError
from schemas.ids import DIGEST_BYTES
from schemas.manifest import TableFile

STAGING = ".staging"
_STORE_FIX = "VATRA_STORE is a folder, or a URL such as s3://bucket/folder; unset it to use the home."
#: Where parts go whose bytes are no longer those that were published.
DAMAGED = "rejected/damaged"


class Store:
    """Objects by relative path under a root URL. Picklable: a worker opens its own connection."""

    def __init__(self, url: str) -> None:
        self.url = url

    @cached_property
    def _target(self) -> tuple[Any, str]:
        try:
            fs, root = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:  # no such protocol, or a package that is missing for it
            raise UsageError(
                f"the store cannot be opened: {str(error).splitlines()[0]}", where=self.url, fix=_STORE_FIX
            ) from None
        return fs, str(root).rstrip("/")

    def __getstate__(self) -> dict[str, str]:
        return {"url": self.url}

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return "file" in self._target[0].protocol

    @property
    def is_in_memory(self) -> bool:
        """Whether the store lives only as long as this process."""
        return "memory" in self._target[0].protocol

    def full(self, path: str) -> str:
        """The file system's own name of a relative path."""
        return f"{self._target[1]}/{path}"

    def exists(self, path: str) -> bool:
        """Whether an object stands under this name."""
        return self.size(path) is not None

    def size(self, path: str) -> int | None:
        """Bytes of an object; None when there is none. Raises StoreError where it may not be looked at."""
        with suppress(FileNotFoundError, NotADirectoryError), _reading(path):
            return int(self._target[0].info(self.full(path))["size"] or 0)
        return None

    def state(self, path: str) -> str:
        """Changes whenever the object is written to: size, time and whatever else its file system knows of it."""
        with _reading(path):
            return str(self._target[0].ukey(self.full(path)))

    def digest(self, path: str) -> str:
        """BLAKE2b-128 of an object's bytes. Raises FileNotFoundError, StoreError."""
        hasher = hashlib.blake2b(digest_size=DIGEST_BYTES)
        with self.open(path) as source, _reading(path):
            while chunk := source.read(1 << 20):
                hasher.update(chunk)
        return hasher.hexdigest()

    def read(self, path: str) -> bytes:
        """All bytes of an object. Raises FileNotFoundError when there is none, StoreError when it cannot be read."""
        with _reading(path):
            return cast(bytes, self._target[0].cat_file(self.full(path)))

    def open(self, path: str) -> BinaryIO:
        """An object as a seekable binary file, for reading. Raises FileNotFoundError, StoreError."""
        with _reading(path):
            return cast(BinaryIO, self._target[0].open(self.full(path), "rb"))

    def names(self, folder: str) -> list[str]:
        """Sorted names directly inside a folder (empty when there is none)."""
        with suppress(FileNotFoundError), _reading(folder):
            return sorted(
                str(p).rsplit("/", 1)[-1] for p in self._target[0].ls(self.full(folder), detail=False)
            )
        return []

    def put_if_absent(self, path: str, data: bytes) -> bool:
        """Publish an object whole or not at all; False when the name is taken already (which is left alone)."""
        with translated("write to the store", path):
            if self.is_local:
                temporary = self._stage_bytes(data)
                try:
                    return self._link(temporary, path)
                finally:
                    Path(temporary).unlink()
            return self._create(path, data)

    def publish(self, staged: str, path: str, digest: str) -> bool:
        """Give a staged file its final name; False when the name is taken already. The staged file is consumed.

        `digest` is that of the staged bytes. Where other bytes stand under the name they are damage (or left by a
        run that died before its manifest), and make way: only what was published is never overwritten.
        """
        with translated("write to the store", path):
            made = self._put_staged(staged, path)
            if not made and self.digest(path) != digest:
                self.remove(path)
                made = self._put_staged(staged, path)
            self._target[0].rm_file(self.full(staged))
            return made

    def set_aside(self, path: str) -> str:
        """Move a damaged object out of the readers' way; returns where it lies now."""
        aside = f"{DAMAGED}/{secrets.token_hex(4)}-{path.rsplit('/', 1)[-1]}"
        with translated("move a damaged file", path):
            self._target[0].makedirs(self.full(DAMAGED), exist_ok=True)
            self._target[0].mv(self.full(path), self.full(aside))
        return aside

    def remove(self, path: str) -> None:
        """Delete one object, if it stands."""
        with suppress(FileNotFoundError):
            self._target[0].rm_file(self.full(path))

    def write_table(self, folder: str, name: str, table: pa.Table) -> TableFile:
        """Write Parquet under a name that no reader looks at; the record's `path` is still the staged one."""
        path = f"{folder}/{name}"
        with translated("write to the store", path), self._target[0].open(self.full(path), "wb") as sink:
            hashing = _HashingSink(sink)
            pq.write_table(table, pa.PythonFile(hashing, "w"), compression="zstd", row_group_size=16_384)
            sink.flush()
            if self.is_local:
                os.fsync(sink.fileno())
        return TableFile(path=path, digest=hashing.digest(), rows=table.num_rows, bytes=hashing.size)

    @contextmanager
    def staging(self) -> Iterator[str]:
        """A folder of one's own that no reader looks at; removed afterwards, and by the next run after a crash."""
        owner = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        folder = f"{STAGING}/{owner}"
        with translated("write to the store", self.url):
            self._target[0].makedirs(self.full(folder), exist_ok=True)
        try:
            yield folder
        finally:
            with suppress(OSError):
                self._target[0].rm(self.full(folder), recursive=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A folder of this machine for files that are needed for a while: in a local store's staging, where a crash
        leaves nothing behind for long; else where the system keeps such files. Raises StoreError when the disk is full.
        """
        if self.is_local:
            with self.staging() as folder, translated("write to the store", folder):
                yield Path(self.full(folder))
            return
        with tempfile.TemporaryDirectory(prefix="vatra-") as name, translated("write a scratch file", name):
            yield Path(name)

    def sweep_staging(self) -> None:
        """Remove what processes of this machine that are no longer alive have left behind."""
        for name in self.names(STAGING):
            host, _, pid = name.rpartition("-")[0].rpartition("-")
            if host == socket.gethostname() and pid.isdigit() and not _alive(int(pid)):
                with suppress(OSError):
                    self._target[0].rm(self.full(f"{STAGING}/{name}"), recursive=True)

    def _put_staged(self, staged: str, path: str) -> bool:
        if self.is_local:
            return self._link(self.full(staged), path)
        return self._create(path, self.read(staged))

    def _stage_bytes(self, data: bytes) -> str:
        folder = Path(self.full(STAGING))
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        with temporary.open("wb") as sink:
            sink.write(data)
            sink.flush()
            os.fsync(sink.fileno())
        return str(temporary)

    def _link(self, temporary: str, path: str) -> bool:
        final = Path(self.full(path))
        final.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(temporary, final)
        except FileExistsError:
            return False
        _sync_folder(final.parent)
        return True

    def _create(self, path: str, data: bytes) -> bool:
        try:
            self._target[0].pipe_file(self.full(path), data, mode="create")
        except FileExistsError:
            return False
        return True


class _HashingSink:
    """A write-only file that knows the BLAKE2b-128 digest and size of what went through it."""

    def __init__(self, sink: Any) -> None:
        self._sink, self._hash, self.size, self.closed = (
            sink,
            hashlib.blake2b(digest_size=DIGEST_BYTES),
            0,
            False,
        )

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._hash.update(view)
        self._sink.write(view)
        self.size += view.nbytes
        return view.nbytes

    def flush(self) -> None:
        self._sink.flush()

    def close(self) -> None:
        self.closed = True

    def tell(self) -> int:
        return self.size

    def digest(self) -> str:
        return self._hash.hexdigest()


@contextmanager
def translated(doing: str, where: str) -> Iterator[None]:
    """Turn the operating system's refusals into a StoreError that says what to do."""
    try:
        yield
    except BrokenPipeError:  # of the terminal, where progress is shown
        raise
    except OSError as error:
        raise _refusal(doing, where, error) from error


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """The same for reading; that there is nothing of this name is for the caller to judge."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise _refusal("read from the store", path, error) from error


def _refusal(doing: str, where: str, error: OSError) -> StoreError:
    fix = {
        errno.ENOENT: "It was moved or deleted while it was in use: run the same command again.",
        errno.ENOSPC: "The disk is full: free some space and run the same command again; nothing was published.",
        errno.EDQUOT: "The disk quota is used up: free some space and run the same command again.",
        errno.EACCES: "The folder is not writable: choose another with --home.",
        errno.EPERM: "The folder is not writable: choose another with --home.",
        errno.EROFS: "The file system is read-only: choose another folder with --home.",
    }.get(error.errno or 0, "Run the same command again once the cause is gone.")
    reason = os.strerror(error.errno) if error.errno else type(error).__name__
    return StoreError(f"cannot {doing}: {reason.lower()}", where=where, fix=fix)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
