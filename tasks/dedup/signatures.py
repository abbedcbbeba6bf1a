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

from schemas.settings import DedupSettings
from tasks.dedup.fanning import Parts, over_parts
from tasks.dedup.words import has_words, join_contents, normalise

_SEED, _HASH = 1, "xxhash3_64"
_MIX, _STIR = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


@dataclass(frozen=True)
class Signatures:
    """`bands[b, n]` is equal where two texts agree in all of band b; `sketch[n]` is a byte of each permutation.

    `compared[n]` is False for a text too short to be compared by words.
    """

    bands: np.ndarray
    sketch: np.ndarray
    compared: np.ndarray


def sign_rows(parts: Parts, rows: Sequence[np.ndarray], settings: DedupSettings) -> Signatures:
    """Signatures of some rows (per part, sorted), numbered in the order of `rows`."""
    starts = np.r_[0, np.cumsum([len(some) for some in rows])]
    size = int(starts[-1])
    bands = np.zeros((settings.bands, size), np.uint32)
    sketch = np.zeros((size, settings.permutations), np.uint8)
    compared = np.zeros(size, bool)
    for number, packed in over_parts(parts, rows, _Signing(settings)):
        inside = slice(int(starts[number]), int(starts[number + 1]))
        count = inside.stop - inside.start
        octets = np.frombuffer(packed, np.uint8)
        compared[inside] = octets[:count]
        sketch[inside] = octets[count : count * (1 + settings.permutations)].reshape(count, -1)
        keys = octets[count * (1 + settings.permutations) :].view(np.uint8).tobytes()
        bands[:, inside] = np.frombuffer(keys, np.uint32).reshape(settings.bands, count)
    return Signatures(bands, sketch, compared)


@dataclass(frozen=True)
class _Signing:
    """The work on one part's messages, packed as bytes: compared, sketch, bands."""

    settings: DedupSettings

    def __call__(self, messages: pa.ChunkedArray) -> bytes:
        words = normalise(join_contents(messages))
        signature = minhash(words, self.settings)
        compared = has_words(words, self.settings.fewest_words)
        bands, sketch = fold_signature(signature, self.settings.bands)
        return compared.astype(np.uint8).tobytes() + sketch.tobytes() + bands.tobytes()


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
