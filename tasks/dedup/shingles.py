"""True Jaccard similarity of pairs of texts, over the sets of their word n-grams."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
from scipy import sparse

from tasks.dedup.fanning import Parts, over_parts
from tasks.dedup.words import normalise

#: A shingle is known by so many bits of its hash: of pairs of a thousand words, one in ten million errs by one.
HASH_BITS = 44
_TEXTS_AT_ONCE = 1 << (64 - HASH_BITS)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_PAIRS_AT_ONCE = 20_000


def shingle_sets(words: pl.Series, size: int) -> sparse.csr_array:
    """The word n-grams of normalised texts as a sparse 0/1 matrix, (texts, hashes), rows sorted, each n-gram once.

    A text of fewer than `size` words has one n-gram: all of it. A text without words has none.
    """
    return _matrix(*_sets(words, size))


def _sets(words: pl.Series, size: int) -> tuple[np.ndarray, np.ndarray]:
    """How many n-grams each text has, and their sorted hashes, text after text."""
    if len(words) > _TEXTS_AT_ONCE:
        some, more = _sets(words[:_TEXTS_AT_ONCE], size), _sets(words[_TEXTS_AT_ONCE:], size)
        return np.concatenate([some[0], more[0]]), np.concatenate([some[1], more[1]])
    lengths, flat = hash_words(words)
    flat = flat if len(flat) else np.zeros(1, np.uint64)
    ends = np.cumsum(lengths)
    grams = np.where(lengths == 0, 0, np.maximum(1, lengths - size + 1))
    owner = np.repeat(np.arange(len(words), dtype=np.uint64), grams)
    first = np.arange(len(owner)) - np.repeat(np.cumsum(grams) - grams - (ends - lengths), grams)
    end = np.repeat(ends, grams)
    value = np.zeros(len(owner), np.uint64)
    for offset in range(size):
        at = first + offset
        word = flat[np.minimum(at, len(flat) - 1)]
        value = np.where(at < end, (value ^ word) * _MIX, value)
        value ^= value >> np.uint64(31)
    keys = distinct(owner << np.uint64(HASH_BITS) | value >> np.uint64(64 - HASH_BITS))
    counts = np.bincount((keys >> np.uint64(HASH_BITS)).astype(np.int64), minlength=len(words))
    return counts.astype(np.int64), (keys & np.uint64((1 << HASH_BITS) - 1)).astype(np.int64)


def hash_words(words: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """How many words each normalised text has, and their hashes, text after text."""
    lists = words.replace("", None).str.split(" ")
    lengths = lists.list.len().fill_null(0).to_numpy().astype(np.int64)
    flat = hash_strings(lists.drop_nulls().explode()) if lengths.any() else np.zeros(0, np.uint64)
    return lengths, flat


def distinct(values: np.ndarray) -> np.ndarray:
    """The values sorted, each once; many times faster than `np.unique` on millions of numbers."""
    ordered = np.sort(values)
    return ordered[np.r_[True, ordered[1:] != ordered[:-1]]] if len(ordered) else ordered


def hash_strings(words: pl.Series) -> np.ndarray:
    """64-bit hashes, the same on every machine: Daft's XXH3."""
    from daft import Series

    made: np.ndarray = (
        Series.from_arrow(words.to_arrow(compat_level=pl.CompatLevel.oldest())).hash().to_arrow().to_numpy()
    )
    return made


def _matrix(counts: np.ndarray, hashes: np.ndarray) -> sparse.csr_array:
    pointers = np.r_[0, np.cumsum(counts)].astype(np.int64)
    return sparse.csr_array(
        (np.ones(len(hashes), np.int8), hashes, pointers), shape=(len(counts), 1 << HASH_BITS)
    )


def jaccard(one: sparse.csr_array, other: sparse.csr_array, pairs: np.ndarray) -> np.ndarray:
    """Jaccard similarity of row `pairs[n, 0]` of one and row `pairs[n, 1]` of the other; 0 where both are empty."""
    shared = overlap(one, other, pairs)
    union = np.diff(one.indptr)[pairs[:, 0]] + np.diff(other.indptr)[pairs[:, 1]] - shared
    similarity: np.ndarray = (shared / np.maximum(union, 1)).astype(np.float32)
    return similarity


def overlap(one: sparse.csr_array, other: sparse.csr_array, pairs: np.ndarray) -> np.ndarray:
    """How many n-grams row `pairs[n, 0]` of one and row `pairs[n, 1]` of the other have in common."""
    shared = np.zeros(len(pairs), np.int64)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        a, b = pairs[start : start + _PAIRS_AT_ONCE].T
        shared[start : start + len(a)] = one[a].multiply(other[b]).sum(axis=1, dtype=np.int64)
    return shared


def read_shingles(
    parts: Parts, rows: Sequence[np.ndarray], size: int, text_of: Callable[[pa.ChunkedArray], pa.Array]
) -> sparse.csr_array:
    """The n-grams of some rows (per part, sorted), in the order of `rows`; `text_of` makes texts of messages."""
    counts: dict[int, np.ndarray] = {}
    hashes: dict[int, np.ndarray] = {}
    for number, packed in over_parts(parts, rows, _Shingling(size, text_of)):
        values = np.frombuffer(packed, np.int64)
        counts[number], hashes[number] = np.split(values, [len(rows[number])])
    numbers, nothing = sorted(counts), [np.zeros(0, np.int64)]
    return _matrix(
        np.concatenate([counts[n] for n in numbers] or nothing),
        np.concatenate([hashes.pop(n) for n in numbers] or nothing),
    )


@dataclass(frozen=True)
class _Shingling:
    size: int
    text_of: Callable[[pa.ChunkedArray], pa.Array]

    def __call__(self, messages: pa.ChunkedArray) -> bytes:
        counts, hashes = _sets(normalise(self.text_of(messages)), self.size)
        return counts.tobytes() + hashes.tobytes()
