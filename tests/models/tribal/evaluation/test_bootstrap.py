"""Intervals by conversation: where they lie, how wide they are, and where there is none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tribal.evaluation.bootstrap import (
    FEWEST_CONVERSATIONS,
    RESAMPLES,
    draws,
    figure_of,
    ratio_figure,
    seeded_ratio_figure,
)

SIZES = st.integers(FEWEST_CONVERSATIONS, 60)


@given(units=st.integers(1, 200), seed=st.integers(0, 99))
def test_each_resample_draws_as_many_conversations_as_there_are(units: int, seed: int) -> None:
    weights = draws(units, 50, seed)
    assert weights.shape == (50, units)
    assert (weights.sum(1) == units).all()
    assert (weights >= 0).all()


@given(units=SIZES, seed=st.integers(0, 2**32 - 1))
def test_the_interval_holds_the_value_and_lies_within_what_conversations_say(units: int, seed: int) -> None:
    chance = np.random.default_rng(seed)
    below = chance.integers(1, 500, units).astype(float)
    above = below * chance.random(units)
    figure = ratio_figure(above, below, draws(units))
    assert figure.value == pytest.approx(above.sum() / below.sum())
    assert figure.low is not None
    assert figure.high is not None
    assert (above / below).min() - 1e-12 <= figure.low <= figure.high <= (above / below).max() + 1e-12


def test_the_width_is_that_of_the_standard_error() -> None:
    chance = np.random.default_rng(5)
    values = chance.normal(3.0, 1.0, 400)
    figure = ratio_figure(values, np.ones(400), draws(400))
    assert figure.low is not None
    assert figure.high is not None
    assert (figure.high - figure.low) / 2 == pytest.approx(1.96 * values.std() / 20, rel=0.1)


def test_equal_inputs_give_equal_intervals() -> None:
    above, below = np.arange(20.0), np.arange(1.0, 21.0)
    assert ratio_figure(above, below, draws(20)) == ratio_figure(above, below, draws(20))


def test_too_few_conversations_have_no_interval_and_say_so() -> None:
    few = FEWEST_CONVERSATIONS - 1
    figure = ratio_figure(np.ones(few), np.ones(few), draws(few))
    assert (figure.value, figure.low, figure.high) == (1.0, None, None)
    assert figure.reason == f"no interval: {few} conversations, fewer than {FEWEST_CONVERSATIONS}"
    nothing = ratio_figure(np.zeros(9), np.zeros(9), draws(9))
    assert (nothing.value, nothing.reason) == (None, "nothing to measure it on")


def test_resamples_that_say_nothing_are_left_out_until_they_are_most() -> None:
    some = np.where(np.arange(RESAMPLES) % 3 == 0, np.nan, 0.5)
    assert figure_of(0.5, some, 10).low == 0.5
    most = np.where(np.arange(RESAMPLES) % 3 == 0, 0.5, np.nan)
    assert figure_of(0.5, most, 10).low is None


def test_a_difference_is_paired_by_conversation() -> None:
    """Conversations differ far more than models do: unpaired, nothing could be seen."""
    chance = np.random.default_rng(1)
    hard = chance.normal(1000, 300, 80)
    first = np.stack([hard + chance.normal(0, 2, 80) for _ in range(3)])
    second = np.stack([hard + 5 + chance.normal(0, 2, 80) for _ in range(3)])
    paired = seeded_ratio_figure(first - second, np.full(80, 100.0))
    alone = seeded_ratio_figure(first, np.full(80, 100.0))
    assert paired.value == pytest.approx(-0.05, abs=0.01)
    assert paired.low is not None
    assert paired.high is not None
    assert paired.low < -0.05 < paired.high < 0
    assert alone.low is not None
    assert alone.high is not None
    assert alone.high - alone.low > 20 * (paired.high - paired.low)


def test_seeds_that_disagree_widen_the_interval() -> None:
    sizes = np.full(50, 10.0)
    agree = seeded_ratio_figure(np.full((3, 50), 20.0), sizes)
    differ = seeded_ratio_figure(np.stack([np.full(50, nats) for nats in (10.0, 20.0, 30.0)]), sizes)
    assert (agree.value, agree.low, agree.high) == pytest.approx((2.0, 2.0, 2.0))
    assert differ.value == pytest.approx(2.0)
    assert (differ.low, differ.high) == pytest.approx((1.0, 3.0))
