"""Near copies: MinHash candidates, their true similarity, clusters cut by keeper. No text is held."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from schemas.settings import DedupSettings
from tasks.dedup.candidates import find_candidates
from tasks.dedup.clustering import Kept, components, cut_by_keeper
from tasks.dedup.keys import Examples, Keys, Texts
from tasks.dedup.likeness import Likeness, Reading
from tasks.dedup.signatures import sign_rows

#: Texts are verified so many bytes at a time; a component is never cut.
BATCH_BYTES = 384 << 20


@dataclass(frozen=True)
class NearCopies:
    """Clusters over distinct texts; `candidates` pairs were verified, `crowded` bands paired through leaders.

    `boilerplate` lines stand in many texts."""

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
    if thinned.any():  # what is alike with boilerplate and too little without it to be found
        signatures.put_back_boilerplate()
        found = found.with_more(find_candidates(signatures, settings.threshold, by_name))
    reading = Reading(examples, keys, settings.shingle_words, lines)
    del signatures
    for members, pairs in _batches(found.pairs, keys.table["text_bytes"].to_numpy()[texts.rows]):
        rows = texts.rows[members]
        likeness = Likeness(
            reading, rows, reading.said(rows), thinned[members], brief[members], settings.threshold
        )
        rank = np.empty(len(rows), np.int64)
        rank[np.searchsorted(rows, keys.best_first(rows))] = np.arange(len(rows))
        kept = cut_by_keeper(pairs, likeness, settings.threshold, rank)
        whole.keeper[members] = members[kept.keeper]
        whole.similarity[members] = kept.similarity
    return NearCopies(whole, len(found.pairs), found.crowded, len(lines))


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
