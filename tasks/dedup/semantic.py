"""Semantic copies: examples that mean the same in other words, by the cosine of their embeddings. Exact, in blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc

from schemas.settings import DedupSettings
from tasks.dedup.clustering import Kept, cut_by_keeper
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
    rank = np.empty(len(left), np.int64)
    rank[np.searchsorted(texts.rows[left], keys.best_first(texts.rows[left]))] = np.arange(len(left))
    own = vectors[left]

    def cosine(pairs: np.ndarray) -> np.ndarray:
        found: np.ndarray = np.einsum("nd,nd->n", own[pairs[:, 0]], own[pairs[:, 1]]).clip(0, 1)
        return found

    pairs = alike(own, settings.semantic_threshold)
    found = cut_by_keeper(pairs, cosine, settings.semantic_threshold, rank)
    moved = np.arange(size)
    moved[left] = left[found.keeper]
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


def alike(vectors: np.ndarray, threshold: float) -> np.ndarray:
    """All pairs whose cosine may reach the threshold, the smaller number first, as (n, 2)."""
    found = [np.zeros((0, 2), np.int64)]
    for start in range(0, len(vectors), _BLOCK):
        block = vectors[start : start + _BLOCK]
        for other in range(start, len(vectors), _BLOCK):
            one, two = np.nonzero(block @ vectors[other : other + _BLOCK].T >= threshold - 1e-4)
            pairs = np.stack([one + start, two + other], axis=1)
            found.append(pairs[pairs[:, 0] < pairs[:, 1]])
    return np.concatenate(found)
