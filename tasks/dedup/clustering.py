"""From pairs of copies to clusters: components, cut so that each member is a copy of its keeper.

Without the cut, copies would chain: A like B, B like C, and so on, until examples that share nothing are one cluster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

#: The true similarity of pairs.
Likeness = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Edges:
    """Pairs of texts that are copies, the smaller number first, and how similar they are."""

    pairs: np.ndarray
    similarity: np.ndarray


@dataclass(frozen=True)
class Kept:
    """Per text its keeper (itself where it is kept) and its similarity with it."""

    keeper: np.ndarray
    similarity: np.ndarray


def components(pairs: np.ndarray, size: int) -> np.ndarray:
    """The number of each text's component."""
    graph = sparse.coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    labels: np.ndarray = csgraph.connected_components(graph, directed=False)[1]
    return labels


def cut_by_keeper(pairs: np.ndarray, likeness: Likeness, threshold: float, rank: np.ndarray) -> Kept:
    """Clusters over verified pairs: in the order of `rank`, what is not yet a copy of a keeper is one.

    A text that is a copy of a member but was never paired with the member's keeper is compared with it, until there is
    no such text. No pair is compared twice, so it ends.
    """
    edges, tried = _verified(pairs, likeness, threshold), _keys(pairs, len(rank))
    kept = choose_keepers(edges, rank)
    while len(more := _through_members(edges, kept, tried, len(rank))):
        found = _verified(more, likeness, threshold)
        tried = np.concatenate([tried, _keys(more, len(rank))])
        edges = Edges(
            np.concatenate([edges.pairs, found.pairs]), np.concatenate([edges.similarity, found.similarity])
        )
        kept = choose_keepers(edges, rank)
    return kept


def _verified(pairs: np.ndarray, likeness: Likeness, threshold: float) -> Edges:
    similarity = likeness(pairs)
    true = similarity >= np.float32(threshold)
    return Edges(pairs[true], similarity[true])


def choose_keepers(edges: Edges, rank: np.ndarray) -> Kept:
    """The greedy choice in the order of `rank` (smaller is better): each text is kept, or a copy of a better one."""
    size = len(rank)
    one, other = (np.r_[edges.pairs[:, a], edges.pairs[:, b]] for a, b in ((0, 1), (1, 0)))
    similarity = np.r_[edges.similarity, edges.similarity]
    undecided, keeps = np.ones(size, bool), np.zeros(size, bool)
    while undecided.any():
        open_edges = undecided[one] & undecided[other]
        best = np.full(size, size, np.int64)
        np.minimum.at(best, one[open_edges], rank[other[open_edges]])
        chosen = undecided & (rank < best)
        keeps |= chosen
        undecided &= ~chosen
        undecided[one[chosen[other]]] = False
    to_keeper = ~keeps[one] & keeps[other]
    order = np.lexsort((rank[other[to_keeper]], one[to_keeper]))[::-1]
    keeper, alike = np.arange(size), np.ones(size, np.float32)
    keeper[one[to_keeper][order]] = other[to_keeper][order]  # the last one written is the best
    alike[one[to_keeper][order]] = similarity[to_keeper][order]
    return Kept(keeper, alike)


def _through_members(edges: Edges, kept: Kept, tried: np.ndarray, size: int) -> np.ndarray:
    """Pairs (kept text, keeper of a copy of it) that were not compared yet."""
    one, other = (np.r_[edges.pairs[:, a], edges.pairs[:, b]] for a, b in ((0, 1), (1, 0)))
    beyond = kept.keeper[other]
    new = (kept.keeper[one] == one) & (beyond != one)
    low, high = np.minimum(one, beyond)[new], np.maximum(one, beyond)[new]
    keys = np.setdiff1d(low * size + high, tried)
    return np.stack([keys // size, keys % size], axis=1)


def _keys(pairs: np.ndarray, size: int) -> np.ndarray:
    keys: np.ndarray = pairs[:, 0] * size + pairs[:, 1]
    return keys
