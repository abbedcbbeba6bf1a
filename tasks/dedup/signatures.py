"""What is kept of each text while copies are sought: its bands and a sketch of its MinHash signature.

Daft computes the signatures (its own `minhash`) part by part, on one machine or on a cluster; a hundred and fifty
bytes of each text come back, never the text. Texts are known by their row numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.settings import DedupSettings
from tasks.dedup.boilerplate import (
    codes_by_text,
    find_boilerplate,
    is_boilerplate,
    lines_of,
    of_system,
    own_text,
)
from tasks.dedup.fanning import Parts, over_parts
from tasks.dedup.words import has_words, normalise

_SEED, _HASH = 1, "xxhash3_64"
_MIX, _STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class Signatures:
    """`bands[b, n]` is equal where two texts agree in all of band b; `sketch[n]` is a byte of each permutation.

    `compared[n]` is False for a text too short to be compared by words. `boilerplate` are the codes of lines that were
    left out; `thinned[n]` says that text `n` lost some that are of no system turn; `brief[n]` that its replies are so
    small a part of it that two texts may be copies and their replies have nothing in common. `whole` are the bands,
    sketches and `compared` of the thinned texts, in order, before they lost any.
    """

    bands: np.ndarray
    sketch: np.ndarray
    compared: np.ndarray
    boilerplate: np.ndarray
    thinned: np.ndarray
    brief: np.ndarray
    whole: tuple[np.ndarray, np.ndarray, np.ndarray]

    def put_back_boilerplate(self) -> None:
        """Let the thinned texts have the signatures of all they say."""
        self.bands[:, self.thinned], self.sketch[self.thinned], self.compared[self.thinned] = self.whole


def sign_rows(parts: Parts, rows: Sequence[np.ndarray], settings: DedupSettings) -> Signatures:
    """Signatures of some rows (per part, sorted), numbered in the order of `rows`.

    The first pass finds the boilerplate too; the texts that have some are signed again without it.
    """
    starts = np.r_[0, np.cumsum([len(some) for some in rows])]
    made = _Sheet.empty(int(starts[-1]), settings)
    lines: dict[int, tuple[np.ndarray, np.ndarray]] = {}
    for number, packed in over_parts(parts, rows, _Signing(settings)):
        rest = made.fill(np.arange(starts[number], starts[number + 1]), np.frombuffer(packed, np.uint8))
        counts, codes = np.split(rest.view(np.uint64), [len(rows[number])])
        lines[number] = counts.astype(np.int64), codes
    nothing = [np.zeros(0, np.uint64)]
    boilerplate = find_boilerplate(
        np.concatenate([codes for _, codes in lines.values()] or nothing), settings.boilerplate
    )
    again = [np.zeros(0, np.int64) for _ in rows]
    thinned, spoken = np.zeros(len(made.compared), bool), boilerplate[~of_system(boilerplate)]
    for number, (counts, codes) in lines.items():
        owner = np.repeat(np.arange(len(counts)), counts)
        again[number] = np.unique(owner[is_boilerplate(codes, boilerplate)])
        thinned[starts[number] + owner[is_boilerplate(codes, spoken)]] = True
    whole = made.bands[:, thinned], made.sketch[thinned], made.compared[thinned]
    brief = made.brief.copy()
    chosen = [some[places] for some, places in zip(rows, again, strict=True)]
    for number, packed in over_parts(parts, chosen, _Signing(settings, boilerplate)):
        made.fill(starts[number] + again[number], np.frombuffer(packed, np.uint8))
    return Signatures(made.bands, made.sketch, made.compared, boilerplate, thinned, made.brief | brief, whole)


@dataclass(frozen=True)
class _Sheet:
    bands: np.ndarray
    sketch: np.ndarray
    compared: np.ndarray
    brief: np.ndarray

    @staticmethod
    def empty(size: int, settings: DedupSettings) -> _Sheet:
        return _Sheet(
            np.zeros((settings.bands, size), np.uint32),
            np.zeros((size, settings.permutations), np.uint8),
            np.zeros(size, bool),
            np.zeros(size, bool),
        )

    def fill(self, places: np.ndarray, packed: np.ndarray) -> np.ndarray:
        """Unpack what `_Signing` made of these texts; returns what follows it, from an aligned address."""
        count, permutations, bands = len(places), self.sketch.shape[1], len(self.bands)
        compared, brief, sketch, keys, rest = np.split(
            packed, np.cumsum([count, count, count * permutations, 4 * count * bands])
        )
        self.compared[places], self.brief[places] = compared, brief
        self.sketch[places] = sketch.reshape(count, permutations)
        self.bands[:, places] = np.frombuffer(keys.tobytes(), np.uint32).reshape(bands, count)
        return np.frombuffer(rest.tobytes(), np.uint8)


@dataclass(frozen=True)
class _Signing:
    """The work on one part's messages, packed as bytes: compared, brief, sketch, bands; in the first pass lines too."""

    settings: DedupSettings
    boilerplate: np.ndarray | None = None

    def __call__(self, messages: pa.ChunkedArray) -> bytes:
        nothing = np.zeros(0, np.uint64)
        texts = own_text(messages, nothing if self.boilerplate is None else self.boilerplate)
        words = normalise(texts)
        compared = has_words(words, self.settings.fewest_words)
        bands, sketch = fold_signature(minhash(words, self.settings), self.settings.bands)
        brief = has_brief_replies(messages, texts, self.settings.threshold)
        packed = (
            compared.astype(np.uint8).tobytes()
            + brief.astype(np.uint8).tobytes()
            + sketch.tobytes()
            + bands.tobytes()
        )
        if self.boilerplate is None:
            counts, codes = codes_by_text(lines_of(messages), len(messages))
            packed += counts.tobytes() + codes.tobytes()
        return packed


def has_brief_replies(messages: pa.ChunkedArray, texts: pa.Array, threshold: float) -> np.ndarray:
    """Of which texts the replies are at most (1 - t) / (1 + t): two texts of equal size can then differ in all of them
    and still have the similarity t."""
    lists = messages.combine_chunks()
    turns = pc.list_flatten(lists)
    size = pc.binary_length(pc.struct_field(turns, "content")).to_numpy()
    assistant = pc.equal(pc.struct_field(turns, "role"), "assistant").to_numpy(zero_copy_only=False)
    replies = np.bincount(pc.list_parent_indices(lists).to_numpy(), size * assistant, len(lists))
    found: np.ndarray = replies * (1 + threshold) <= pc.binary_length(texts).to_numpy() * (1 - threshold)
    return found


def minhash(words: pl.Series, settings: DedupSettings) -> np.ndarray:
    """MinHash signatures of normalised texts by Daft, as (texts, permutations) of 32 bits."""
    from daft import Series

    texts = words.to_arrow(compat_level=pl.CompatLevel.oldest())
    made = Series.from_arrow(texts).minhash(settings.permutations, settings.shingle_words, _SEED, _HASH)
    values: np.ndarray = made.to_arrow().flatten().to_numpy().reshape(-1, settings.permutations)
    return values


def fold_signature(signature: np.ndarray, bands: int) -> tuple[np.ndarray, np.ndarray]:
    """Of signatures: 32-bit keys of their bands as (bands, texts), and a byte of each permutation."""
    rows = signature.shape[1] // bands
    columns = signature.astype(np.uint64).reshape(len(signature), bands, rows)
    key = np.zeros((len(signature), bands), np.uint64)
    for row in range(rows):
        key = (key ^ columns[:, :, row]) * _MIX
        key ^= key >> np.uint64(29)
    key *= _STIR
    keys = np.ascontiguousarray((key >> np.uint64(32)).astype(np.uint32).T)
    return keys, (signature & 0xFF).astype(np.uint8)
