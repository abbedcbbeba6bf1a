"""Member detection and calibration, against hand-computed values and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tribal.evaluation.calibration import BINS, brier_of
from models.tribal.evaluation.detection import FEWEST_TOKENS, Tokens, auc, detection_figures

SCORES = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.9]), st.booleans()), max_size=40)


def made(
    seed: int, tokens: int = 400, members: int = 3, skill: float = 1.0, conversations: int = 20
) -> Tokens:
    """Alpha that knows the member the better, the greater the skill."""
    chance = np.random.default_rng(seed)
    conversation = np.sort(chance.integers(0, conversations, tokens))
    member = conversation % members
    scores = chance.normal(size=(tokens, members))
    scores[np.arange(tokens), member] += skill
    alpha = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return Tokens(alpha, member, conversation, np.arange(tokens) % 100 + 1)


def test_auc_by_hand() -> None:
    """Positives .9 and .4, negatives .8 and .1: three of four pairs are in order."""
    scores, positive = np.asarray([0.9, 0.4, 0.8, 0.1]), np.asarray([True, True, False, False])
    assert auc(scores, positive) == pytest.approx(0.75)
    assert auc(np.ones(4), positive) == pytest.approx(0.5)
    assert math.isnan(auc(scores, np.ones(4, bool)))


@given(SCORES)
def test_auc_counts_pairs(rows: list[tuple[float, bool]]) -> None:
    scores = np.asarray([score for score, _ in rows], float)
    positive = np.asarray([yes for _, yes in rows], bool)
    pairs = [(p > n) + (p == n) / 2 for p in scores[positive] for n in scores[~positive]]
    found = auc(scores, positive)
    assert math.isnan(found) if not pairs else found == pytest.approx(sum(pairs) / len(pairs))


def test_very_many_scores_are_compared_in_levels() -> None:
    chance = np.random.default_rng(2)
    scores, positive = chance.random(30_000), chance.random(30_000) < 0.3
    scores[positive] += 0.2
    conversation = chance.integers(0, 1000, 30_000)
    tokens = Tokens(
        np.c_[1 - scores, scores], positive.astype(np.int64), conversation, np.ones(30_000, np.int64)
    )
    found = detection_figures(tokens, ("nova", "sora")).members[1].auc.value
    ranks = np.argsort(np.argsort(scores)) + 1.0  # the rank sum of Mann and Whitney
    number = positive.sum()
    exact = (ranks[positive].sum() - number * (number + 1) / 2) / (number * (30_000 - number))
    assert found == pytest.approx(exact, abs=1e-4)
    assert found != exact


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 50))
def test_auc_knows_only_the_order(seed: int, scale: float) -> None:
    chance = np.random.default_rng(seed)
    scores, positive = chance.random(60), chance.random(60) < 0.4
    assert auc(scores, positive) == pytest.approx(auc(np.exp(scale * scores), positive), nan_ok=True)


def test_a_detector_that_is_always_right_and_sure() -> None:
    tokens = made(0)
    sure = Tokens(np.eye(3)[tokens.member], tokens.member, tokens.conversation, tokens.place)
    found = detection_figures(sure, ("nova", "sora", "lumin"))
    for figure, value in (
        (found.macro_auc, 1.0),
        (found.accuracy, 1.0),
        (found.ece, 0.0),
        (found.brier, 0.0),
    ):
        assert (figure.value, figure.low, figure.high) == (value, value, value)
    assert [one.accuracy for one in found.reliability] == [None] * (BINS - 1) + [1.0]


def test_a_detector_that_says_the_same_of_everybody() -> None:
    tokens = made(0)
    flat = Tokens(np.full((400, 3), 1 / 3), tokens.member, tokens.conversation, tokens.place)
    found = detection_figures(flat, ("nova", "sora", "lumin"))
    assert found.macro_auc.value == pytest.approx(0.5)
    assert found.brier.value == pytest.approx(2 / 3)
    # It names the first of equals, and is right as often as that one speaks, at a confidence of a third.
    share = float((tokens.member == 0).mean())
    assert found.accuracy.value == pytest.approx(share)
    assert found.ece.value == pytest.approx(abs(share - 1 / 3))


def test_brier_by_hand() -> None:
    alpha = np.asarray([[0.7, 0.2, 0.1], [0.0, 0.5, 0.5]])
    assert brier_of(alpha, np.asarray([0, 2])).tolist() == pytest.approx([0.09 + 0.04 + 0.01, 0.5])


def test_the_interval_of_an_auc_is_that_of_drawn_conversations() -> None:
    """The pair counts give what drawing whole conversations and counting again gives."""
    tokens = made(3, skill=0.5)
    found = detection_figures(tokens, ("nova", "sora", "lumin")).members[1].auc
    chance, drawn = np.random.default_rng(0), []
    by_conversation = [np.flatnonzero(tokens.conversation == n) for n in range(20)]
    for _ in range(300):
        rows = np.concatenate([by_conversation[n] for n in chance.integers(0, 20, 20)])
        drawn.append(auc(tokens.alpha[rows, 1], tokens.member[rows] == 1))
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert found.value == pytest.approx(auc(tokens.alpha[:, 1], tokens.member == 1))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.02)


def test_a_member_who_speaks_in_few_conversations_has_an_auc_without_interval() -> None:
    """However many there are in all: the interval would mostly say which few they are."""
    tokens = made(7)
    rare = Tokens(
        tokens.alpha,
        np.where(tokens.conversation < 2, 2, tokens.member % 2),
        tokens.conversation,
        tokens.place,
    )
    found = detection_figures(rare, ("nova", "sora", "lumin"))
    assert found.members[2].auc.value is not None
    assert (found.members[2].auc.low, found.macro_auc.low) == (None, None)
    assert found.members[2].auc.reason == "no interval: 2 conversations, fewer than 5"
    assert found.members[0].auc.low is not None


def test_positions_part_the_tokens() -> None:
    tokens = made(4, tokens=500)
    found = detection_figures(tokens, ("nova", "sora", "lumin"))
    assert [one.tokens for one in found.positions] == [
        int(((tokens.place >= first) & (tokens.place <= last)).sum())
        for first, last in ((1, 4), (5, 16), (17, 64), (65, 10**9))
    ]
    assert sum(one.tokens for one in found.positions) == found.tokens == 500


def test_too_little_is_told_and_no_number_given() -> None:
    tokens = made(5)
    few = tokens.taken(np.arange(400) < FEWEST_TOKENS - 1)
    found = detection_figures(few, ("nova", "sora", "lumin"))
    for figure in (found.macro_auc, found.accuracy, found.ece, found.brier):
        assert figure.value is None
        assert figure.reason
    nothing = detection_figures(tokens.taken(np.zeros(400, bool)), ("nova", "sora", "lumin"))
    assert (nothing.tokens, nothing.conversations, nothing.majority) == (0, 0, None)
    assert nothing.macro_auc.value is None


def test_a_member_who_never_speaks_has_no_auc_and_does_not_spoil_the_mean() -> None:
    tokens = made(6)
    with_silent = Tokens(np.c_[tokens.alpha, np.zeros(400)], tokens.member, tokens.conversation, tokens.place)
    found = detection_figures(with_silent, ("nova", "sora", "lumin", "sophia"))
    assert found.members[3].auc.value is None
    spoken = [one.auc.value for one in found.members[:3]]
    assert found.macro_auc.value == pytest.approx(np.mean([value for value in spoken if value is not None]))


@given(st.integers(0, 2**32 - 1))
def test_figures_do_not_depend_on_the_order_of_tokens_or_the_numbers_of_conversations(seed: int) -> None:
    tokens = made(seed % 1000, tokens=120)
    order = np.random.default_rng(seed).permutation(120)
    moved = Tokens(
        tokens.alpha[order], tokens.member[order], tokens.conversation[order] * 7 + 3, tokens.place[order]
    )
    first, second = (detection_figures(one, ("a", "b", "c")) for one in (tokens, moved))
    assert first.macro_auc.value == pytest.approx(second.macro_auc.value)
    assert first.macro_auc.low == pytest.approx(second.macro_auc.low)
    assert first.ece.value == pytest.approx(second.ece.value)
