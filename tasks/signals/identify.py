"""Many texts classified at once by py3langid's model, with the answers that it gives one by one.

The library walks its automaton byte by byte in Python (measured: 140 microseconds for a message of 400 characters).
Here the texts of a batch take each step together, as a few numpy operations (20 microseconds). The sums are made in
another order than the library's: where its rounding could decide between two languages, it is asked itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

#: Texts that walk together: what is known of them stays in the processor's cache.
BATCH = 2_048
#: Bytes of a batch, where its texts are long: their features take some forty times as much memory.
BATCH_BYTES = 2 << 20
#: The error of a sum of single-precision products, as a share of the sum of their sizes, for the most features that
#: a text can have (a few thousand, of 6e-8 each).
ROUNDING = 5e-4


@dataclass(frozen=True)
class Model:
    """A `LanguageIdentifier` of py3langid with its tables as arrays: the automaton, and a weight per language."""

    library: Any
    next_state: np.ndarray
    row_of_state: np.ndarray
    feature_of_state: np.ndarray
    weights: np.ndarray
    priors: np.ndarray

    @classmethod
    def of(cls, library: Any) -> Model:
        """The model of an identifier that is restricted to some languages."""
        return cls(
            library,
            np.asarray(library.tk_nextmove, np.uint32),
            np.asarray(library._rowbase, np.int64),
            np.asarray(library.tk_output, np.int32),
            np.ascontiguousarray(library.nb_ptc.T, np.float32),
            np.asarray(library.nb_pc, np.float64),
        )

    def classify(self, texts: Sequence[str]) -> list[str]:
        """The language of each text."""
        encoded = [self.library._encode(text) for text in texts]
        order = sorted(range(len(texts)), key=lambda row: -len(encoded[row]))
        found = [""] * len(texts)
        for rows in _batches(order, encoded):
            best, sure = self._decide([encoded[row] for row in rows])
            for row, language, certain in zip(rows, best.tolist(), sure.tolist(), strict=True):
                asked = None if certain else self.library.classify(texts[row])[0]
                found[row] = str(asked or self.library.nb_classes[language])
        return found

    def _decide(self, texts: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
        """The best language of each text, the longest first, and whether no rounding could make it another."""
        text, feature, count = self._count(texts)
        size = np.log1p(count.astype(np.float32))
        # Weights are logarithms of probabilities, all below 0: the sum of their sizes is the size of their sum.
        sums = np.array([np.bincount(text, size * row.take(feature), len(texts)) for row in self.weights])
        largest = -sums.min(axis=0)
        scores = sums + self.priors[:, None]
        best = scores.argmax(axis=0)
        first, second = -np.partition(-scores, 1, axis=0)[:2]
        # A text without any feature has no largest sum, and is the library's to judge.
        return best, (first - second > ROUNDING * largest) & (largest > 0)

    def _count(self, texts: list[bytes]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each text's features and how often it has them, as (text, feature, count)."""
        bits = int(self.feature_of_state.max()).bit_length()
        kind = np.int64 if len(texts) >> (32 - bits) else np.uint32  # the smaller is sorted in half the time
        keys = np.empty(sum(map(len, texts)), kind)
        done = 0
        for features in self._walk(texts):
            numbers = np.flatnonzero(features >= 0)
            keys[done : done + len(numbers)] = (numbers << bits) | features[numbers]
            done += len(numbers)
        keys = np.sort(keys[:done])
        first = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]][:done])
        distinct = keys[first].astype(np.int64)
        return distinct >> bits, distinct & ((1 << bits) - 1), np.diff(np.r_[first, done])

    def _walk(self, texts: list[bytes]) -> Iterator[np.ndarray]:
        """Per step the feature that each text meets there (-1: none), for as many as are that long."""
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        data = np.frombuffer(b"".join(texts), np.uint8)
        place = np.cumsum(lengths) - lengths
        row = np.full(len(texts), self.row_of_state[0])
        walking = np.searchsorted(-lengths, -np.arange(int(lengths[0])), "left")
        for count in walking.tolist():
            at = row[:count]
            at += data.take(place[:count])
            state = self.next_state.take(at)
            self.row_of_state.take(state, out=at, mode="clip")
            place[:count] += 1
            yield self.feature_of_state.take(state)


def _batches(order: Sequence[int], texts: Sequence[bytes]) -> Iterator[list[int]]:
    batch: list[int] = []
    size = 0
    for row in order:
        if batch and (len(batch) == BATCH or size + len(texts[row]) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(row)
        size += len(texts[row])
    if batch:
        yield batch
