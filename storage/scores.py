"""Costly scores, kept for ever: `scores/<scorer>/<segment>.parquet`, by content hash.

A segment holds only texts that no earlier segment had when it was written. Should two runs score one text at the
same time, the segment with the smaller name counts, for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.ids import hash_bytes, hash_fields
from storage.store import Store


class ScoreMemory:
    """What one scorer (name, weights, precision) has said of texts, by content hash."""

    def __init__(self, store: Store, scorer: str, digest: str, labels: Sequence[str]) -> None:
        self._store, self._labels = store, tuple(labels)
        self._folder = f"scores/{hash_fields(scorer, digest, 'float32')}"
        hashes, scores = [], []
        for name in reversed(store.names(self._folder)):
            with store.open(f"{self._folder}/{name}") as source:
                table = pq.read_table(source)
            hashes.append(table["content_hash"].to_numpy().astype("S32"))
            scores.append(np.column_stack([table[label].to_numpy() for label in self._labels]))
        self._hashes = np.concatenate(hashes) if hashes else np.empty(0, "S32")
        self._scores = np.concatenate(scores) if scores else np.empty((0, len(self._labels)), np.float32)
        self._sort()

    def recall(self, hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(known, scores): which texts were scored before, and rows of scores (only known rows mean anything)."""
        wanted = np.array(hashes, "S32")
        if not len(self._hashes):
            return np.zeros(len(wanted), bool), np.zeros((len(wanted), len(self._labels)), np.float32)
        place = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        return self._hashes[place] == wanted, self._scores[place]

    def remember(self, hashes: Sequence[str], scores: Mapping[str, np.ndarray]) -> None:
        """Keep the scores of texts that were not known; published before anybody may rely on them."""
        if not hashes:
            return
        columns = {"content_hash": pa.array(hashes, pa.string())}
        columns |= {label: pa.array(scores[label], pa.float32()) for label in self._labels}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        self._store.put_if_absent(f"{self._folder}/{hash_bytes(data)}.parquet", data)
        self._hashes = np.concatenate([self._hashes, np.array(hashes, "S32")])
        self._scores = np.concatenate(
            [self._scores, np.column_stack([scores[label] for label in self._labels])]
        )
        self._sort()

    def _sort(self) -> None:
        # Stable, and later entries win in recall's searchsorted only when they are the only ones: keep the first
        # of equal hashes, which is the smaller-named segment because names were read in reverse and flipped here.
        order = np.argsort(self._hashes[::-1], kind="stable")
        hashes, scores = self._hashes[::-1][order], self._scores[::-1][order]
        first = np.r_[True, hashes[1:] != hashes[:-1]] if len(hashes) else np.empty(0, bool)
        self._hashes, self._scores = hashes[first], scores[first]
