"""Near copies: MinHash candidates, their true similarity, clusters cut by keeper. No text is held."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa
from scipy import sparse

from schemas.settings import DedupSettings
from tasks.dedup.boilerplate import of_system, own_text
from tasks.dedup.candidates import find_candidates
from tasks.dedup.clustering import Kept, components, cut_by_keeper
from tasks.dedup.keys import Examples, Keys, Texts
from tasks.dedup.shingles import jaccard, read_shingles
from tasks.dedup.signatures import sign_rows
from tasks.dedup.words import join_replies

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
    lines, thinned, brief = signatures.boilerplate, signatures.thinned, signatures.brief
    own, said = (partial(own_text, boilerplate=some) for some in (lines, lines[of_system(lines)]))
    reading = _Reading(examples, keys, settings.shingle_words)
    del signatures
    for members, pairs in _batches(found.pairs, keys.table["text_bytes"].to_numpy()[texts.rows]):
        rows = texts.rows[members]
        doubts = (_Doubt(thinned[members], said), _Doubt(brief[members], join_replies))
        likeness = _Likeness(reading, rows, reading.shingles(rows, own), settings.threshold, doubts)
        rank = np.empty(len(rows), np.int64)
        rank[np.searchsorted(rows, keys.best_first(rows))] = np.arange(len(rows))
        kept = cut_by_keeper(pairs, likeness, settings.threshold, rank)
        whole.keeper[members] = members[kept.keeper]
        whole.similarity[members] = kept.similarity
    return NearCopies(whole, len(found.pairs), found.crowded, len(lines))


#: Makes texts of messages.
TextOf = Callable[[pa.ChunkedArray], pa.Array]


@dataclass(frozen=True)
class _Reading:
    """How n-grams of rows are read."""

    examples: Examples
    keys: Keys
    size: int

    def shingles(self, rows: np.ndarray, text_of: TextOf) -> sparse.csr_array:
        """The n-grams of some rows (ascending)."""
        return read_shingles(self.examples, self.keys.split(rows), self.size, text_of)


@dataclass(frozen=True)
class _Doubt:
    """Texts of which another view must agree too: two are no copies if this view of one of them says otherwise."""

    of: np.ndarray
    view: TextOf


@dataclass(frozen=True)
class _Likeness:
    """The similarity of pairs of `rows`: of their own words, and where these make copies, the least of all views.

    So boilerplate makes no copies, neither what two texts share of it nor what only one of them has; and neither does a
    long question that is answered by yes and by no. A view that shows nothing of a text says nothing.
    """

    reading: _Reading
    rows: np.ndarray
    own: sparse.csr_array
    threshold: float
    doubts: tuple[_Doubt, ...]

    def __call__(self, pairs: np.ndarray) -> np.ndarray:
        similarity = jaccard(self.own, self.own, pairs)
        for doubt in self.doubts:
            at = np.flatnonzero((similarity >= np.float32(self.threshold)) & doubt.of[pairs].any(axis=1))
            if not len(at):
                continue
            some, places = np.unique(pairs[at], return_inverse=True)
            places = places.reshape(-1, 2)
            seen = self.reading.shingles(self.rows[some], doubt.view)
            shown = (np.diff(seen.indptr) > 0)[places].all(axis=1)
            similarity[at[shown]] = np.minimum(similarity[at[shown]], jaccard(seen, seen, places[shown]))
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
