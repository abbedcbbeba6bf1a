"""Semantic copies: examples that mean the same in other words, by the cosine of their embeddings. Exact, in blocks.

A vector of each text is held (1.5 KB at 384 dimensions), and every text is compared with every one that is kept: for
tens of thousands of examples, not for millions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from schemas.settings import DedupSettings
from tasks.dedup.clustering import Kept
from tasks.dedup.fanning import LEAVES, Parts
from tasks.dedup.keys import Keys, Texts
from tasks.dedup.words import join_contents

#: Texts in, an array (texts, dimensions) of unit length out.
Embed = Callable[[Sequence[str]], np.ndarray]
_BLOCK = 2048


@dataclass(frozen=True)
class SemanticCopies:
    """Clusters with semantic copies among them; `semantic[t]` says that text `t` joined by its meaning."""

    kept: Kept
    semantic: np.ndarray


def find_semantic_copies(
    parts: Parts, keys: Keys, texts: Texts, kept: Kept, embed: Embed, settings: DedupSettings
) -> SemanticCopies:
    """Of what near copies have left, which texts mean the same.

    The copies of a text that goes join the new keeper if they mean the same too, else they stay.
    """
    size = len(texts.rows)
    vectors = embed_rows(parts, keys.split(texts.rows), embed)
    left = np.flatnonzero((kept.keeper == np.arange(size)) & vectors.any(axis=1))
    order = np.searchsorted(texts.rows[left], keys.best_first(texts.rows[left]))
    moved_to = choose_by_meaning(vectors, left[order], settings.semantic_threshold)
    moved = np.arange(size)
    moved[left[order]] = moved_to
    keeper, similarity = moved[kept.keeper], kept.similarity.copy()
    semantic = keeper != kept.keeper
    means = np.einsum("nd,nd->n", vectors[semantic], vectors[keeper[semantic]]).clip(0, 1)
    similarity[semantic] = means
    stays = np.flatnonzero(semantic)[means < np.float32(settings.semantic_threshold)]
    keeper[stays], similarity[stays], semantic[stays] = stays, 1.0, False
    return SemanticCopies(Kept(keeper, similarity), semantic)


def embed_rows(parts: Parts, rows: Sequence[np.ndarray], embed: Embed) -> np.ndarray:
    """Embeddings of some rows (per part, sorted), in the order of `rows`; zeros for a text that is blank."""
    made = []
    for number, some in enumerate(rows):
        if len(some):
            texts = join_contents(parts.part("examples", number, LEAVES)["messages"].take(some))
            vectors = np.asarray(embed(texts.to_pylist()), np.float32)
            vectors[pc.equal(pc.utf8_trim_whitespace(texts), "").to_numpy(zero_copy_only=False)] = 0
            made.append(vectors)
    return np.concatenate(made) if made else np.zeros((0, 1), np.float32)


def choose_by_meaning(vectors: np.ndarray, order: np.ndarray, threshold: float) -> np.ndarray:
    """The keeper of each text of `order` (best first): the best kept one that means the same, else itself.

    Compared are blocks with the kept ones before them, so no pair is ever held: memory is the vectors and two blocks,
    time the number of texts times the number that is kept.
    """
    keeper = order.copy()
    kept: list[np.ndarray] = []
    for start in range(0, len(order), _BLOCK):
        block = order[start : start + _BLOCK]
        own, goes = vectors[block], np.zeros(len(block), bool)
        for some in kept:
            alike = own @ vectors[some].T >= threshold
            found = alike.any(axis=1) & ~goes
            keeper[start + np.flatnonzero(found)] = some[alike[found].argmax(axis=1)]
            goes |= found
        alike = own @ own.T >= threshold
        for place in range(len(block)):
            if not goes[place]:
                found = alike[place] & ~goes
                found[: place + 1] = False
                keeper[start + np.flatnonzero(found)] = block[place]
                goes |= found
        kept += [block[~goes]] if not goes.all() else []
    return keeper
