"""A file of chats on disk or in a zip: what is known of it, and reading its bytes."""

from __future__ import annotations

import hashlib
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

import xxhash

from schemas.errors import InputError
from schemas.files import open_regular
from schemas.ids import DIGEST_BYTES
from tasks.parsers.encodings import EncodingGuess
from tasks.parsers.walking import unreadable
from tasks.parsers.window import CHUNK

DAMAGED_MEMBER = "the zip member is damaged"


@dataclass(frozen=True)
class Examined:
    """What one pass over the bytes tells."""

    digest: str
    checksum: str
    size: int
    encoding: str


class CheckedStream:
    """Bytes of a file; whatever goes wrong while reading is an InputError that names the file."""

    def __init__(self, file: IO[bytes], where: str) -> None:
        self._file, self._where = file, where

    def read(self, amount: int, /) -> bytes:
        """The next bytes, empty at the end. Raises InputError."""
        with readable(self._where, DAMAGED_MEMBER):
            return self._file.read(amount)


@contextmanager
def readable(where: str, damaged: str = "not a zip file, or a damaged one") -> Iterator[None]:
    """Turn what the system, or a damaged zip, raises into an InputError about `where`."""
    again = "Download the export again."
    try:
        yield
    except zipfile.BadZipFile as error:
        what = f"{DAMAGED_MEMBER}: its checksum does not match" if "CRC" in str(error) else damaged
        raise InputError(what, where=where, fix=again) from None
    except (zlib.error, lzma.LZMAError, struct.error, EOFError, OverflowError, ValueError):
        # The last: a name that is no UTF-8, a place before the file's beginning.
        raise InputError(damaged, where=where, fix=again) from None
    except NotImplementedError:
        fix = "Unpack it and give the folder."
        raise InputError("the zip uses a compression that cannot be read", where=where, fix=fix) from None
    except RuntimeError:  # what zipfile raises for a member that needs a password
        fix = "Unpack it with its password and give the folder."
        raise InputError("the zip member is encrypted", where=where, fix=fix) from None
    except OSError as error:
        if error.errno is None:  # bzip2's word for damage
            raise InputError(damaged, where=where, fix=again) from None
        fix = "Check that the file is there and that you may read it."
        raise InputError(unreadable(error), where=where, fix=fix) from None


class ChecksumStream:
    """Bytes of a file, and the checksum (XXH3-128) of those that were read."""

    def __init__(self, stream: CheckedStream) -> None:
        self._stream, self._hasher = stream, xxhash.xxh3_128()

    def read(self, amount: int, /) -> bytes:
        """The next bytes, empty at the end. Raises InputError."""
        chunk = self._stream.read(amount)
        self._hasher.update(chunk)
        return chunk

    def checksum(self) -> str:
        """In hexadecimal."""
        return self._hasher.hexdigest()


@contextmanager
def opened_file(path: str | Path) -> Iterator[BinaryIO]:
    """A file on disk. Raises InputError, also for what may have no end: a pipe, a device."""
    with readable(str(path)):
        file = open_regular(path)
    with file:
        yield file


@contextmanager
def opened(path: str | Path, member: str | None = None) -> Iterator[CheckedStream]:
    """The bytes of a file, or of a member of a zip, which is never extracted. Raises InputError."""
    where = f"{path}: {member}" if member else str(path)
    if member is None:
        with opened_file(path) as file:
            yield CheckedStream(file, where)
        return
    with opened_zip(path) as archive, opened_member(archive, member, where) as stream:
        yield stream


@contextmanager
def opened_zip(path: str | Path) -> Iterator[zipfile.ZipFile]:
    """A zip file. Raises InputError when it is none, or damaged."""
    with opened_file(path) as file:
        with readable(str(path)):
            archive = zipfile.ZipFile(file)
        with archive:
            yield archive


@contextmanager
def opened_member(archive: zipfile.ZipFile, member: str, where: str) -> Iterator[CheckedStream]:
    """The bytes of a member of an open zip; `where` is for errors. Raises InputError."""
    with readable(where, DAMAGED_MEMBER):
        inner = archive.open(member)
    with inner:
        yield CheckedStream(inner, where)


def examine(
    path: str | Path, member: str | None = None, on_bytes: Callable[[int], None] | None = None
) -> Examined:
    """Digest (BLAKE2b-128), checksum, size and encoding, in one pass over the bytes. Raises InputError.

    The digest is the file's identity; the checksum, ten times as fast, tells parse that it still is that file.
    """
    hasher, guess, size = hashlib.blake2b(digest_size=DIGEST_BYTES), EncodingGuess(), 0
    checksum = xxhash.xxh3_128()
    with opened(path, member) as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            checksum.update(chunk)
            guess.feed(chunk)
            size += len(chunk)
            if on_bytes:
                on_bytes(len(chunk))
    return Examined(hasher.hexdigest(), checksum.hexdigest(), size, guess.name())
