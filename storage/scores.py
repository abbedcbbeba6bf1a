"""Costly scores, kept for ever: `scores/<scorer>/<number>.parquet`, by content hash.

Segments are numbered, and a number can be taken once. A run that finds its number taken reads what another run
has put there first, so the first stored score of a text counts for everybody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import StoreError
from schemas.ids import hash_fields
from storage.store import Store


class ScoreMemory:
    """What one scorer (name, weights, precision) has said of texts, by content hash."""

    def __init__(self, store: Store, scorer: str, digest: str, labels: Sequence[str]) -> None:
        self._store, self._labels = store, tuple(labels)
        self._folder = f"scores/{hash_fields(scorer, digest, 'float32')}"
        self._names: list[str] = []
        self._hashes = np.empty(0, "S32")
        self._scores = np.empty((0, len(self._labels)), np.float32)
        self._catch_up()

    def recall(self, hashes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """(known, scores): which texts were scored before, and rows of scores (only known rows mean anything)."""
        wanted = np.array(hashes, "S32")
        if not len(self._hashes):
            return np.zeros(len(wanted), bool), np.zeros((len(wanted), len(self._labels)), np.float32)
        place = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        return self._hashes[place] == wanted, self._scores[place]

    def remember(self, hashes: Sequence[str], scores: Mapping[str, np.ndarray]) -> None:
        """Keep the scores of texts that nobody has scored before; published before anybody may rely on them."""
        rows = np.column_stack([np.asarray(scores[label], np.float32) for label in self._labels])
        while True:
            fresh = ~self.recall(hashes)[0]
            if not fresh.any():
                return
            new = np.array(hashes, "S32")[fresh]
            name = f"{int(self._names[-1][:8]) + 1 if self._names else 0:08d}.parquet"
            if self._store.put_if_absent(f"{self._folder}/{name}", self._segment(new, rows[fresh])):
                self._add(name, new, rows[fresh])
                return
            self._catch_up()

    def _catch_up(self) -> None:
        """Read the segments that were put since the last look."""
        for name in self._store.names(self._folder)[len(self._names) :]:
            path = f"{self._folder}/{name}"
            try:
                with self._store.open(path) as source:
                    table = pq.read_table(source)
                rows = np.column_stack([table[label].to_numpy() for label in self._labels])
            except (OSError, KeyError, pa.ArrowException):
                raise StoreError(
                    "kept scores cannot be read",
                    where=path,
                    fix="Delete this file: its texts are scored again.",
                ) from None
            self._add(name, table["content_hash"].to_numpy().astype("S32"), rows)

    def _segment(self, hashes: np.ndarray, rows: np.ndarray) -> bytes:
        columns = {"content_hash": pa.array(hashes.astype("U32"), pa.string())}
        columns |= {label: pa.array(rows[:, i], pa.float32()) for i, label in enumerate(self._labels)}
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table(columns), sink, compression="zstd")
        data: bytes = sink.getvalue().to_pybytes()
        return data

    def _add(self, name: str, hashes: np.ndarray, rows: np.ndarray) -> None:
        """Sorted by hash for `recall`; of equal hashes the one that was there first stays."""
        self._names.append(name)
        together = np.concatenate([self._hashes, hashes])
        self._hashes, first = np.unique(together, return_index=True)
        self._scores = np.concatenate([self._scores, rows])[first]
