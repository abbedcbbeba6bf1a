"""Which examples are chosen, for which split, in which order: all by seeded hashes of ids.

The same seed picks the same examples on any machine; a new example moves no other between splits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from schemas.errors import StageFailed
from schemas.ids import hash_fields
from schemas.settings import MixSettings
from schemas.tables import SPLITS

_SCALE = float(1 << 64)


def choose(candidates: pd.DataFrame, settings: MixSettings) -> tuple[pd.DataFrame, dict[str, int]]:
    """Chosen rows with `split` and `order`, and how many candidates were set aside, by reason.

    `candidates` has example_id, conversation_id and source. Raises StageFailed when a share names a source that
    the build does not have.
    """
    draw = [hash_fields(settings.seed, "draw", example) for example in candidates["example_id"]]
    pool = candidates.assign(draw=draw).sort_values(["draw", "example_id"])
    chosen, set_aside = _by_share(pool, settings) if settings.shares else _up_to(pool, settings.total)
    chosen = chosen.assign(split=_splits(chosen["conversation_id"], settings))
    chosen = chosen.sort_values(["split", "draw", "example_id"])
    return chosen.assign(order=chosen.groupby("split").cumcount()), set_aside


def quotas(available: Mapping[str, int], shares: Mapping[str, float], total: int | None) -> dict[str, int]:
    """Examples per source: as many as the scarcest source allows at these shares, at most `total` in all.

    Largest remainders get what rounding leaves, so that each source is within one example of its share.
    """
    weight = sum(shares.values())
    size = min(available[source] / (share / weight) for source, share in shares.items())
    size = math.floor(min(size + 1e-9, total if total is not None else math.inf))
    exact = {source: size * share / weight for source, share in shares.items()}
    count = {source: math.floor(value + 1e-9) for source, value in exact.items()}
    by_remainder = sorted(shares, key=lambda source: (count[source] - exact[source], source))
    for source in by_remainder[: size - sum(count.values())]:
        count[source] += count[source] < available[source]
    return count


def shares_missed(chosen: pd.DataFrame, settings: MixSettings) -> int:
    """How many sources are more than one example away from the share that was asked for."""
    weight = sum(settings.shares.values())
    count = chosen["source"].value_counts()
    return sum(
        abs(int(count.get(source, 0)) - len(chosen) * share / weight) > 1 + 1e-6
        for source, share in settings.shares.items()
    )


def _by_share(pool: pd.DataFrame, settings: MixSettings) -> tuple[pd.DataFrame, dict[str, int]]:
    available = {str(name): int(n) for name, n in pool["source"].value_counts().items()}
    missing = [source for source in settings.shares if source not in available]
    if missing:
        raise StageFailed(
            f"mix.shares asks for the source {missing[0]!r}, of which this build has no example",
            where="mix",
            fix=f"It has: {', '.join(f'{name} ({n})' for name, n in sorted(available.items()))}.",
        )
    count = quotas(available, settings.shares, settings.total)
    wanted = pool["source"].isin(list(count))
    rank = pool.groupby("source").cumcount()
    taken = wanted & (rank < pool["source"].map(count).fillna(0))
    set_aside = {"source_without_share": int((~wanted).sum()), "over_share": int((wanted & ~taken).sum())}
    return pool[taken], set_aside


def _up_to(pool: pd.DataFrame, total: int | None) -> tuple[pd.DataFrame, dict[str, int]]:
    size = len(pool) if total is None else total
    return pool.iloc[:size], {"over_total": max(0, len(pool) - size)}


def _splits(conversations: pd.Series, settings: MixSettings) -> list[str]:
    """By conversation. Where nothing would be left to train on (a handful of examples), nothing is held out."""
    train, validation, test = SPLITS
    held = settings.test + settings.validation
    splits = []
    for conversation in conversations:
        place = int(hash_fields(settings.seed, "split", conversation)[:16], 16) / _SCALE
        splits.append(test if place < settings.test else validation if place < held else train)
    return splits if train in splits else [train] * len(splits)
