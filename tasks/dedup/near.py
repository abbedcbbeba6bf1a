"""Near copies: MinHash candidates, their true similarity, clusters cut by keeper. No text is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import sparse

from schemas.settings import DedupSettings
from tasks.dedup.boilerplate import of_system, own_text
from tasks.dedup.candidates import find_candidates
from tasks.dedup.clustering import Kept, components, cut_by_keeper
from tasks.dedup.keys import Examples, Keys, Texts
from tasks.dedup.shingles import jaccard, read_shingles
from tasks.dedup.signatures import sign_rows

#: Texts are verified so many bytes at a time; a component is never cut.
BATCH_BYTES = 384 << 20


@dataclass(frozen=True)
class NearCopies:
    """Clusters over distinct texts; `candidates` pairs were verified, `crowded` bands paired through leaders.

    `boilerplate` lines were left out."""

    kept: Kept
    candidates: int = 0
    crowded: int = 0
    boilerplate: int = 0


def find_near_copies(examples: Examples, keys: Keys, texts: Texts, settings: DedupSettings) -> NearCopies:
    """Which distinct texts are near copies of which."""
    size = len(texts.rows)
    whole = Kept(np.arange(size), np.ones(size, np.float32))
    signatures = sign_rows(examples, keys.split(texts.rows), settings)

    def by_name(some: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.searchsorted(texts.rows, keys.by_name(texts.rows[some]))
        return found

    found = find_candidates(signatures, settings.threshold, by_name)
    boilerplate, thinned = signatures.boilerplate, signatures.thinned
    reading = _Reading(examples, keys, settings.shingle_words)
    del signatures
    for members, pairs in _batches(found.pairs, keys.table["text_bytes"].to_numpy()[texts.rows]):
        rows = texts.rows[members]
        likeness = _Likeness(
            reading,
            rows,
            thinned[members],
            boilerplate,
            reading.shingles(rows, boilerplate),
            settings.threshold,
        )
        rank = np.empty(len(rows), np.int64)
        rank[np.searchsorted(rows, keys.best_first(rows))] = np.arange(len(rows))
        kept = cut_by_keeper(pairs, likeness, settings.threshold, rank)
        whole.keeper[members] = members[kept.keeper]
        whole.similarity[members] = kept.similarity
    return NearCopies(whole, len(found.pairs), found.crowded, len(boilerplate))


@dataclass(frozen=True)
class _Reading:
    """How n-grams of rows are read."""

    examples: Examples
    keys: Keys
    size: int

    def shingles(self, rows: np.ndarray, without: np.ndarray) -> sparse.csr_array:
        """The n-grams of some rows (ascending), without these lines."""
        return read_shingles(
            self.examples, self.keys.split(rows), self.size, partial(own_text, boilerplate=without)
        )


@dataclass(frozen=True)
class _Likeness:
    """The similarity of pairs of `rows`: of their own words, and where these make copies, also with what was left out.

    So boilerplate makes no copies: neither what two texts share of it, nor what only one of them has.
    """

    reading: _Reading
    rows: np.ndarray
    thinned: np.ndarray
    boilerplate: np.ndarray
    own: sparse.csr_array
    threshold: float

    def __call__(self, pairs: np.ndarray) -> np.ndarray:
        similarity = jaccard(self.own, self.own, pairs)
        doubtful = (similarity >= np.float32(self.threshold)) & self.thinned[pairs].any(axis=1)
        if doubtful.any():
            some, places = np.unique(pairs[doubtful], return_inverse=True)
            said = self.reading.shingles(self.rows[some], self.boilerplate[of_system(self.boilerplate)])
            with_lines = jaccard(said, said, places.reshape(-1, 2))
            similarity[doubtful] = np.minimum(similarity[doubtful], with_lines)
        return similarity


def _batches(pairs: np.ndarray, text_bytes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Whole components together: their texts (ascending), and their pairs as places among these."""
    members, places = np.unique(pairs, return_inverse=True)
    if not len(members):
        return
    places = places.reshape(pairs.shape)
    label = components(places, len(members))
    weight = np.bincount(label, weights=text_bytes[members])
    batch = ((np.cumsum(weight) - weight) // BATCH_BYTES).astype(np.int64)[label]
    for number in np.unique(batch):
        inside = np.flatnonzero(batch == number)
        own = places[batch[places[:, 0]] == number]
        yield members[inside], np.searchsorted(inside, own)
