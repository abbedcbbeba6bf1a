"""The bytes of a declared file, unpacked where it is gzip, whole or a span of it; and its text, line by line."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import xxhash

from schemas.errors import InputError
from schemas.ids import DIGEST_BYTES
from schemas.manifest import SourceFile, Span
from tasks.parsers.encodings import EncodingGuess, decoder_for
from tasks.parsers.sources import CheckedStream, Examined, opened, opened_file, readable
from tasks.parsers.window import CHUNK, ByteStream

_GZIP = b"\x1f\x8b\x08"
#: What unpacks to more than so many times its size (and is not small) is refused.
_BOMB_RATIO, _BOMB_BYTES = 1000, 100_000_000


class _Unpacked:
    """Bytes of a gzip file, as they are unpacked. Several members may follow one another."""

    def __init__(self, stream: CheckedStream, start: bytes, where: str) -> None:
        self._stream, self._where = stream, where
        self._packed, self._read, self._given = start, len(start), 0
        self._unpacker = zlib.decompressobj(31)

    def read(self, amount: int, /) -> bytes:
        """The next bytes, empty at the end. Raises InputError."""
        with readable(self._where, "the gzip file is damaged"):
            while True:
                if not self._packed:
                    self._packed = self._stream.read(CHUNK)
                    self._read += len(self._packed)
                if not self._packed:
                    if not self._unpacker.eof:
                        raise EOFError
                    return b""
                if self._unpacker.eof:
                    self._unpacker = zlib.decompressobj(31)
                data = self._unpacker.decompress(self._packed, amount)
                self._packed = self._unpacker.unconsumed_tail or self._unpacker.unused_data
                if data:
                    return self._checked(data)

    def _checked(self, data: bytes) -> bytes:
        self._given += len(data)
        if self._given > _BOMB_BYTES and self._given > _BOMB_RATIO * self._read:
            raise InputError(f"unpacks to more than {_BOMB_RATIO} times its size: refused", where=self._where)
        return data


class _Begun:
    """A stream of which the first bytes were read already."""

    def __init__(self, stream: CheckedStream, start: bytes) -> None:
        self._stream, self._start = stream, start

    def read(self, amount: int, /) -> bytes:
        """The next bytes, empty at the end. Raises InputError."""
        if self._start:
            given, self._start = self._start[:amount], self._start[amount:]
            return given
        return self._stream.read(amount)


class _Counted:
    """Bytes that somebody counts, with the checksum of those that were read; at most `limit` of them."""

    def __init__(self, stream: ByteStream, on_bytes: Callable[[int], None], limit: int | None) -> None:
        self._stream, self._on_bytes, self._left = stream, on_bytes, limit
        self.hasher = xxhash.xxh3_128()

    def read(self, amount: int, /) -> bytes:
        """The next bytes, empty at the end. Raises InputError."""
        if self._left is not None:
            amount = min(amount, self._left)
        data = self._stream.read(amount) if amount else b""
        if self._left is not None:
            self._left -= len(data)
        self.hasher.update(data)
        if data:
            self._on_bytes(len(data))
        return data


@contextmanager
def unpacked(path: str | Path, member: str | None = None) -> Iterator[ByteStream]:
    """The bytes of a file or zip member, unpacked where it is gzip. Raises InputError."""
    where = f"{path}: {member}" if member else str(path)
    with opened(path, member) as stream:
        start = stream.read(len(_GZIP))
        yield _Unpacked(stream, start, where) if start == _GZIP else _Begun(stream, start)


@contextmanager
def checked(
    file: SourceFile, span: Span | None = None, on_bytes: Callable[[int], None] = lambda count: None
) -> Iterator[ByteStream]:
    """The bytes of a planned file, or of a span of it; behind the block all must have been what was planned.

    Raises InputError when the file changed, or cannot be read. A block that is left early is not checked.
    """
    if span is None:
        with unpacked(file.path, file.member) as stream:
            counted = _Counted(stream, on_bytes, None)
            yield counted
            while counted.read(CHUNK):
                pass
        expected = file.checksum
    else:
        with opened_file(file.path) as plain, readable(file.path):
            plain.seek(span.start)
            counted = _Counted(CheckedStream(plain, file.path), on_bytes, span.stop - span.start)
            yield counted
            while counted.read(CHUNK):
                pass
        expected = span.checksum
    if counted.hasher.hexdigest() != expected:
        raise InputError("the file changed while it was read", where=file.label, fix="Start again.")


def examine_unpacked(path: Path, member: str | None, on_bytes: Callable[[int], None]) -> Examined:
    """Digest, checksum, size and encoding of the unpacked bytes, in one pass. Raises InputError."""
    hasher, checksum = hashlib.blake2b(digest_size=DIGEST_BYTES), xxhash.xxh3_128()
    guess, size = EncodingGuess(), 0
    with unpacked(path, member) as stream:
        while chunk := stream.read(CHUNK):
            hasher.update(chunk)
            checksum.update(chunk)
            guess.feed(chunk)
            size += len(chunk)
            on_bytes(len(chunk))
    return Examined(hasher.hexdigest(), checksum.hexdigest(), size, guess.name())


def lines_of_stream(stream: ByteStream, encoding: str) -> Iterator[str]:
    """The lines of a text, each with its end. Raises InputError for bytes that the encoding does not have.

    Where the first end of a line is a lone carriage return, all of them are: such ends are given as line feeds.
    """
    decoder = decoder_for(encoding)
    begun: list[str] = []  # the pieces of a line that has not ended yet
    end = held = ""
    while True:
        data = stream.read(CHUNK)
        try:
            text = held + decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            raise InputError(
                f"is not {encoding}: byte {error.object[error.start]:#04x}", fix="Say another read.encoding."
            ) from None
        end, held = end or _line_end(text, whole=not data), ""
        if not end and data and text.endswith("\r"):
            text, held = text[:-1], "\r"  # what follows says whether it ends a line by itself
        lines = text.split(end) if end else [text]
        for line in lines[:-1]:
            yield "".join([*begun, line, "\n"])
            begun = []
        if lines[-1]:
            begun.append(lines[-1])
        if not data:
            if begun:
                yield "".join(begun)
            return


def _line_end(text: str, whole: bool) -> str:
    """What ends lines, told from a text's beginning; empty: it cannot be told yet."""
    if "\n" in text:
        return "\n"
    return "\r" if "\r" in (text if whole else text[:-1]) else ""


def decoded(stream: ByteStream, encoding: str) -> str:
    """A whole text."""
    return "".join(lines_of_stream(stream, encoding))
