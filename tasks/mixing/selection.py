"""Which examples are chosen: by seeded hashes of ids, within the contract.

The contract is kept in every split by itself, so that it holds for what is trained on and for the whole. The same seed
picks the same examples on any machine; a new example takes the place of few others, and changes no one's split.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from schemas.settings import MixSettings
from schemas.tables import SPLITS
from tasks.mixing.candidates import Candidates
from tasks.mixing.contract import Contract, draw_contract
from tasks.mixing.ids import draw
from tasks.mixing.solving import apportion, largest, make_up
from tasks.mixing.splits import TRAIN, Splits, unknown_source

#: Reasons why an example is left out, by their numbers; 0: it is not.
REASONS = (
    "", "too_long", "bridges_frozen_splits", "uncategorised", "category_without_range", "source_without_share",
    "over_range", "over_share", "over_total", "in_no_phase", "over_phase",
)  # fmt: skip


@dataclass(frozen=True)
class Choice:
    """`copies`: how often each candidate stands in a phase that reads it (0: not at all); `reason` numbers why not.

    `reason` speaks of candidates that deduplication left in only.
    """

    contract: Contract
    copies: np.ndarray
    reason: np.ndarray


def choose(
    candidates: Candidates, splits: Splits, tokens: np.ndarray | None, settings: MixSettings
) -> Choice:
    """The mixture's examples. Raises StageFailed for sources that there are not, and for shortages that stop."""
    reason = np.zeros(len(candidates), np.int8)
    if settings.max_tokens is not None and tokens is not None:
        reason[tokens > settings.max_tokens] = REASONS.index("too_long")
    reason[splits.bridging] = REASONS.index("bridges_frozen_splits")
    eligible = candidates.left & (reason == 0)
    contract = draw_contract(candidates, eligible, splits.split == TRAIN, settings)
    if contract.kind == "category":
        reason[eligible & (candidates.category < 0)] = REASONS.index("uncategorised")
    if contract.without:
        outside = eligible & (contract.part < 0) & (reason == 0)
        reason[outside] = REASONS.index(contract.without)
    copies = _take(candidates, contract, splits, eligible & (contract.part >= 0), settings)
    reason[candidates.left & (reason == 0) & (copies == 0)] = REASONS.index(contract.over)
    got = int(copies.sum())
    if settings.total is not None and got < settings.total:
        contract.remarks.setdefault(
            "total", f"{got:,} of {settings.total:,}: in each split for itself, the contract allows no more"
        )
    return Choice(contract, copies, reason)


def _take(
    candidates: Candidates, contract: Contract, splits: Splits, pool: np.ndarray, settings: MixSettings
) -> np.ndarray:
    """How often each candidate of the pool is taken."""
    rows = np.flatnonzero(pool)
    whole = contract.kind == "all" and not settings.weights
    limit = settings.total
    copies = np.zeros(len(candidates), np.int16)
    if whole and (limit is None or limit <= len(rows)):  # nothing to balance: the first ones of all splits
        bins, counts = np.zeros(len(rows), np.int64), np.asarray([len(rows) if limit is None else limit])
    else:
        bins, counts = _bins(candidates, contract, splits, rows, settings)
    copies[rows] = take_first(bins, counts, draw(candidates.ids.take(rows), settings.seed, "draw"))
    return copies


def take_first(bins: np.ndarray, counts: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Per row how often it is taken when each bin gives its count, in the order of the draws and round after round."""
    order = np.lexsort((draws, bins))
    sizes = np.bincount(bins, minlength=len(counts))
    starts = np.cumsum(sizes) - sizes
    ordered = bins[order]
    rank = np.arange(len(bins)) - starts[ordered]
    taken = np.empty(len(bins), np.int16)
    taken[order] = -(-np.maximum(counts[ordered] - rank, 0) // np.maximum(sizes[ordered], 1))
    return taken


def _bins(
    candidates: Candidates, contract: Contract, splits: Splits, rows: np.ndarray, settings: MixSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Per row the number of its bin (split, part and source), and per bin how many are taken of it."""
    width, sources = len(contract.names), len(candidates.sources)
    part, split, source = contract.part[rows], splits.split[rows], candidates.source[rows]
    bins = (split.astype(np.int64) * width + part) * sources + source
    sizes = np.bincount(bins, minlength=len(SPLITS) * width * sources).reshape(len(SPLITS), width, sources)
    counts = np.zeros_like(sizes)
    limits = _limits(sizes.sum(axis=(1, 2)), settings)
    for number in sorted(range(len(SPLITS)), key=lambda number: number == TRAIN):
        often = settings.repeat if number == TRAIN else 1
        if number == TRAIN and settings.total is not None:  # it takes what the others had no room for
            limits[number] = settings.total - int(counts.sum())
        parts = _parts(contract, sizes[number].sum(axis=1) * often, limits[number])
        for at, size in enumerate(parts):
            counts[number, at] = _by_source(candidates, size, sizes[number, at], often, settings)
    if not settings.weights:  # sources stand in a part as they come
        return split.astype(np.int64) * width + part, counts.sum(axis=2).reshape(-1)
    return bins, counts.reshape(-1)


def _limits(sizes: np.ndarray, settings: MixSettings) -> list[int]:
    """The most of each split: its part of the total."""
    if settings.total is None:
        return [int(size) for size in sizes]
    weights = {str(n): Fraction(int(size)) for n, size in enumerate(sizes) if size}
    if not weights:
        return [0] * len(sizes)
    shared = apportion(settings.total, weights, dict.fromkeys(weights, (0, settings.total)))
    return [shared.get(str(n), 0) for n in range(len(sizes))]


def _parts(contract: Contract, capacity: np.ndarray, limit: int) -> list[int]:
    """How many of each part there will be in one split."""
    available = {name: int(capacity[n]) for n, name in enumerate(contract.names) if name in contract.shares}
    size = largest(contract.shares, available, min(limit, sum(available.values())))
    made = make_up(contract.shares, available, size)
    return [made.get(name, 0) for name in contract.names]


def _by_source(
    candidates: Candidates, size: int, there: np.ndarray, often: int, settings: MixSettings
) -> np.ndarray:
    if not settings.weights:
        return np.asarray([size, *[0] * (len(there) - 1)])
    given = weights_of(candidates.sources, settings)
    weights = {str(n): given[source] for n, source in enumerate(candidates.sources)}
    parts = apportion(size, weights, {str(n): (0, int(count) * often) for n, count in enumerate(there)})
    return np.asarray([parts[str(n)] for n in range(len(there))])


def weights_of(sources: tuple[str, ...], settings: MixSettings) -> Mapping[str, Fraction]:
    """The weight of every source, 1 for those without one. Raises StageFailed for one that there is not."""
    unknown = next((name for name in settings.weights if name not in sources), None)
    if unknown is not None:
        raise unknown_source("mix.weights", unknown, sources)
    return {source: Fraction(str(settings.weights.get(source, 1))) for source in sources}
