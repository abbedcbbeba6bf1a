"""Ids as numbers, and seeded hashes of them: five million ids take 80 MB and a second or two, on any machine alike.

An id is 128 bits, as 32 hexadecimal digits in tables and as two uint64 (`high`, `low`) here; it sorts the same in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from schemas.errors import StageFailed
from schemas.ids import hash_fields

DIGITS = 32
_HEX = b"0123456789abcdef"
_VALUES = np.full(256, 255, np.uint8)
_VALUES[np.frombuffer(_HEX, np.uint8)] = np.arange(16, dtype=np.uint8)


class Ids(NamedTuple):
    """Ids as two columns of uint64."""

    high: np.ndarray
    low: np.ndarray

    def take(self, rows: np.ndarray) -> Ids:
        """The ids at these rows, or those under a mask."""
        return Ids(self.high[rows], self.low[rows])


def read_ids(column: pa.ChunkedArray) -> Ids:
    """A column of ids as numbers. Raises StageFailed for one that is no id."""
    chunks = [_parse(chunk) for chunk in column.chunks if len(chunk)]
    if not chunks:
        return Ids(np.empty(0, np.uint64), np.empty(0, np.uint64))
    return Ids(*(np.concatenate([chunk[half] for chunk in chunks]) for half in (0, 1)))


def _parse(chunk: pa.Array) -> Ids:
    offsets = np.frombuffer(chunk.buffers()[1], np.int32, len(chunk) + 1, chunk.offset * 4)
    digits = np.frombuffer(chunk.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    values = _VALUES[digits]
    if chunk.null_count or (np.diff(offsets) != DIGITS).any() or (values > 15).any():
        raise StageFailed("a table holds something that is no 128-bit id", fix="Build it again.")
    # Two digits make a byte, the first one worth more; bytes are in the order of the digits.
    octets = np.left_shift(values[0::2], 4) | values[1::2]
    words = octets.view(">u8").astype(np.uint64).reshape(-1, 2)
    return Ids(np.ascontiguousarray(words[:, 0]), np.ascontiguousarray(words[:, 1]))


def write_ids(ids: Ids) -> pa.Array:
    """Numbers as a column of ids."""
    words = np.stack([ids.high, ids.low], axis=1).astype(">u8")
    octets = words.view(np.uint8).reshape(-1)
    digits = np.empty((len(octets), 2), np.uint8)
    letters = np.frombuffer(_HEX, np.uint8)
    digits[:, 0], digits[:, 1] = letters[octets >> 4], letters[octets & 15]
    offsets = np.arange(len(ids.high) + 1, dtype=np.int32) * DIGITS
    return pa.StringArray.from_buffers(
        len(ids.high), pa.py_buffer(offsets.tobytes()), pa.py_buffer(digits.tobytes())
    )


def one_id(text: str) -> tuple[int, int]:
    """An id as two whole numbers."""
    return int(text[:16], 16), int(text[16:], 16)


def draw(ids: Ids, seed: int, *purpose: str | int) -> np.ndarray:
    """Per id a uint64 that looks random, equal for equal seed, purpose and id; evenly spread."""
    salt = one_id(hash_fields(seed, *purpose))
    mixed = _scramble(ids.high ^ np.uint64(salt[0]))
    return _scramble(_scramble(mixed ^ ids.low) ^ np.uint64(salt[1]))


def _scramble(words: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64 (Steele, Lea and Flood, 2014)."""
    with np.errstate(over="ignore"):
        words = words + np.uint64(0x9E3779B97F4A7C15)
        words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(words ^ (words >> np.uint64(31)))


def place_of(draws: np.ndarray) -> np.ndarray:
    """Draws as places from 0 to (not including) 1."""
    return (draws >> np.uint64(11)).astype(np.float64) / float(1 << 53)


class Finder:
    """Finds the rows of ids in a column of them."""

    def __init__(self, ids: Ids) -> None:
        self._order = np.lexsort((ids.low, ids.high))
        self._sorted = ids.take(self._order)

    def rows(self, wanted: Ids) -> np.ndarray:
        """Per wanted id its (first) row in the column, -1 where it is not there."""
        found = np.full(len(wanted.high), -1, np.int64)
        if not len(self._order):
            return found
        at = np.searchsorted(self._sorted.high, wanted.high)
        open_ = np.arange(len(found))
        while len(open_):  # once, unless two ids share their first half
            spot = np.minimum(at[open_], len(self._order) - 1)
            same = (self._sorted.high[spot] == wanted.high[open_]) & (at[open_] < len(self._order))
            hit = same & (self._sorted.low[spot] == wanted.low[open_])
            found[open_[hit]] = self._order[spot[hit]]
            open_ = open_[same & ~hit]
            at[open_] += 1
        return found


def join(parts: Iterable[Ids]) -> Ids:
    """Columns of ids behind one another."""
    both = list(parts)
    return Ids(np.concatenate([p.high for p in both]), np.concatenate([p.low for p in both]))
