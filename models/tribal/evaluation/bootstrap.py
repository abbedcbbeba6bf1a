"""Bootstrap intervals by conversation: tokens of one conversation are not independent, so whole ones are drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from schemas.nova_evaluation import Figure

Floats = NDArray[np.float64]
#: How often is drawn anew, and the share of the draws that an interval holds.
RESAMPLES, COVERED = 1000, 0.95
#: Of fewer conversations no interval is told: it would mostly say which ones they are.
FEWEST_CONVERSATIONS = 5
SEED = 20_241


def draws(units: int, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """How often each of the units is drawn in each resample [resamples, units]; each row sums to `units`."""
    chance = np.random.default_rng(seed)
    return chance.multinomial(units, np.full(units, 1 / units), size=resamples).astype(np.float64)


def figure_of(value: float, resampled: Floats, units: int) -> Figure:
    """A value with the interval of its resamples; those that could not be measured (NaN) are left out.

    The interval is left out where there are fewer than FEWEST_CONVERSATIONS `units`, or most resamples say nothing.
    """
    known = resampled[np.isfinite(resampled)]
    if units < FEWEST_CONVERSATIONS:
        return Figure(
            value=value, reason=f"no interval: {units} conversations, fewer than {FEWEST_CONVERSATIONS}"
        )
    if len(known) < len(resampled) / 2:
        return Figure(value=value, reason="no interval: most resamples lack one of the members")
    edge = (1 - COVERED) / 2
    low, high = np.quantile(known, [edge, 1 - edge])
    return Figure(value=value, low=float(low), high=float(high))


def ratio_figure(
    above: Floats, below: Floats, weights: Floats, told: Callable[[Floats], Floats] = lambda ratio: ratio
) -> Figure:
    """Sum over sum of what conversations have [units], with `weights` from `draws`; `told` turns it into its unit."""
    total = below.sum()
    if total <= 0:
        return Figure(reason="nothing to measure it on")
    sums = weights @ below
    ratios = np.divide(weights @ above, sums, out=np.full(len(sums), np.nan), where=sums > 0)
    value = float(told(np.asarray([above.sum() / total]))[0])
    return figure_of(value, told(ratios), int(np.count_nonzero(below)))


def seeded_ratio_figure(above: Floats, below: Floats, resamples: int = RESAMPLES, seed: int = SEED) -> Figure:
    """As `ratio_figure`, for runs of several seeds: `above` is [seeds, units], `below` [units] the same for each.

    Seeds and conversations are drawn anew, independently of one another. The difference of two models is `above` of
    the one less that of the other: paired by conversation and by seed.
    """
    seeds, units = above.shape
    total = below.sum()
    if total <= 0:
        return Figure(reason="nothing to measure it on")
    by_unit = draws(units, resamples, seed)
    by_seed = draws(seeds, resamples, seed + 1) / seeds
    sums = by_unit @ below
    drawn = np.einsum("ru,su,rs->r", by_unit, above, by_seed, optimize=True)
    ratios = np.divide(drawn, sums, out=np.full(resamples, np.nan), where=sums > 0)
    return figure_of(float(above.mean(0).sum() / total), ratios, int(np.count_nonzero(below)))
