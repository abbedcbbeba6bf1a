"""Pairs of texts that may be near copies: equal in a band of their signatures, and alike in their sketches.

A band that thousands of texts share (a disclaimer, a system prompt, a template) would make millions of pairs. Beyond
`CAP` texts it is paired otherwise: its first texts by name, one after another, are compared with all others; what is
surely a copy of one of them is paired with that one only and leaves; what is left after `LEADERS` of them is cut by
every other band, and treated alike in these smaller groups. So a pair is missed only where a single band found it, that
band was crowded, and none of the leaders stood for it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from tasks.dedup.shingles import distinct
from tasks.dedup.signatures import Signatures

CAP, LEADERS = 64, 24
_CHUNK = 1 << 16
#: Puts rows into an order that does not depend on how they are stored.
InOrder = Callable[[np.ndarray], np.ndarray]


@dataclass
class Candidates:
    """`pairs` as (n, 2) row numbers, the smaller first, each once; `crowded` bands were paired through leaders."""

    pairs: np.ndarray
    crowded: int = 0

    def with_more(self, other: Candidates) -> Candidates:
        """Those of both searches."""
        keys = [some[:, 0] << 32 | some[:, 1] for some in (self.pairs, other.pairs)]
        both = distinct(np.concatenate(keys))
        pairs = np.stack([both >> 32, both & 0xFFFFFFFF], axis=1)
        return Candidates(pairs, self.crowded + other.crowded)


@dataclass
class _Search:
    signatures: Signatures
    floor: int
    sure: int
    in_order: InOrder
    crowded: int = 0
    found: list[np.ndarray] = field(default_factory=list)

    def add(self, one: np.ndarray, other: np.ndarray) -> None:
        """Keep the pairs whose sketches agree in enough places."""
        for start in range(0, len(one), _CHUNK):
            a, b = one[start : start + _CHUNK], other[start : start + _CHUNK]
            self._keep(a, b, self.agreement(a, b) >= self.floor)

    def agreement(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """In how many places of their sketches texts agree, pair by pair."""
        sketch = self.signatures.sketch
        places: np.ndarray = np.count_nonzero(sketch[one] == sketch[other], axis=1)
        return places

    def _keep(self, one: np.ndarray, other: np.ndarray, alike: np.ndarray) -> None:
        low, high = np.minimum(one, other)[alike], np.maximum(one, other)[alike]
        if len(low):
            self.found.append(low.astype(np.uint64) << np.uint64(32) | high.astype(np.uint64))

    def settle(self) -> None:
        """Let repeated pairs go, so that a pair found by every band is held once."""
        if self.found:
            self.found = [distinct(np.concatenate(self.found))]

    def lead(self, rows: np.ndarray) -> np.ndarray:
        """Pair rows with leaders; returns those that no leader stands for (few of them are paired among themselves)."""
        rows = self.in_order(rows)
        for _ in range(LEADERS):
            if len(rows) <= CAP:
                break
            leader, rows = rows[:1], rows[1:]
            score = np.concatenate([
                self.agreement(np.broadcast_to(leader, len(some)), some)
                for some in np.array_split(rows, len(rows) // _CHUNK + 1)
            ])  # fmt: skip
            self._keep(np.broadcast_to(leader, len(rows)), rows, score >= self.floor)
            rows = rows[score < self.sure]
        if len(rows) <= CAP:
            first, second = np.triu_indices(len(rows), 1)
            self.add(rows[first], rows[second])
            return rows[:0]
        return rows


def find_candidates(signatures: Signatures, threshold: float, in_order: InOrder) -> Candidates:
    """Pairs that may be copies at this threshold. Whether they are is for their true likeness to say."""
    places = signatures.sketch.shape[1]
    spread = 3.5 * np.sqrt(threshold * (1 - threshold) / places)
    search = _Search(
        signatures,
        floor=int(places * max(0.0, threshold - spread)),
        sure=int(np.ceil(places * min(1.0, threshold + spread))),
        in_order=in_order,
    )
    compared = np.flatnonzero(signatures.compared)
    for band in range(len(signatures.bands)):
        rows, starts, sizes = buckets(signatures.bands[band], compared)
        pair_within(rows, starts[sizes <= CAP], sizes[sizes <= CAP], search.add)
        for start, size in zip(starts[sizes > CAP].tolist(), sizes[sizes > CAP].tolist(), strict=True):
            search.crowded += 1
            _pair_crowded(search, rows[start : start + size], band)
        search.settle()
    keys = search.found[0] if search.found else np.zeros(0, np.uint64)
    pairs = np.stack([keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], axis=1).astype(np.int64)
    return Candidates(pairs, search.crowded)


def _pair_crowded(search: _Search, rows: np.ndarray, band: int) -> None:
    rest = search.lead(rows)
    for other in range(len(search.signatures.bands)) if len(rest) else ():
        if other == band:
            continue
        inner, starts, sizes = buckets(search.signatures.bands[other], np.sort(rest))
        pair_within(inner, starts[sizes <= CAP], sizes[sizes <= CAP], search.add)
        for start, size in zip(starts[sizes > CAP].tolist(), sizes[sizes > CAP].tolist(), strict=True):
            search.lead(inner[start : start + size])


def buckets(keys: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows in the order of their keys, and where groups of two or more with one key start, and their sizes."""
    order = np.sort(keys[rows].astype(np.uint64) << np.uint64(32) | rows.astype(np.uint64))
    key, sorted_rows = order >> np.uint64(32), (order & np.uint64(0xFFFFFFFF)).astype(np.int64)
    edges = np.flatnonzero(np.r_[True, key[1:] != key[:-1], True]) if len(key) else np.zeros(1, np.int64)
    sizes = np.diff(edges)
    shared = sizes > 1
    return sorted_rows, edges[:-1][shared], sizes[shared]


def pair_within(
    rows: np.ndarray, starts: np.ndarray, sizes: np.ndarray, add: Callable[[np.ndarray, np.ndarray], None]
) -> None:
    """All pairs within each group, a distance at a time."""
    for distance in range(1, int(sizes.max(initial=1))):
        wide = sizes > distance
        counts = sizes[wide] - distance
        first = np.repeat(starts[wide] - np.r_[0, np.cumsum(counts)[:-1]], counts) + np.arange(counts.sum())
        add(rows[first], rows[first + distance])
