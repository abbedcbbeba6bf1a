"""From intervals to sentences: what may be said, and what may not."""

from __future__ import annotations

import pytest

from models.tribal.evaluation.comparison import TRIFLE, side_of, tell_difference, tell_verdict
from schemas.nova_evaluation import Difference, Figure


def figure(value: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(
        value=value, low=low, high=high, reason=None if low is not None else "no interval: 2 conversations"
    )


def difference(other: str, one: Figure) -> Difference:
    return Difference(
        arm="nova", other=other, bits_per_byte=one, side=side_of(one), verdict=tell_difference(one, other)
    )


BETTER, WORSE, UNSEEN = figure(-0.02, -0.03, -0.01), figure(0.02, 0.01, 0.03), figure(0.01, -0.01, 0.03)
#: An interval that holds zero, and nothing that would be worth naming.
NO_BETTER = figure(0.0, -TRIFLE / 2, TRIFLE / 2)


@pytest.mark.parametrize(
    ("one", "side", "begins"),
    [
        (BETTER, -1, "Better than a GPT-2 of the same shape by 0.0200 bits per byte (95% interval 0.0100 to 0.0300)"),
        (WORSE, 1, "Worse than a GPT-2 of the same shape by 0.0200 bits per byte (95% interval 0.0100 to 0.0300)"),
        (UNSEEN, 0, "No difference from a GPT-2 of the same shape that these data can show: +0.0100 bits per byte"),
        (figure(-0.0001, -0.0002, -0.00005), 0, "No difference from a GPT-2 of the same shape worth naming"),
        (figure(-0.5), 0, "Against a GPT-2 of the same shape: -0.5000 bits per byte, no interval: 2 conversations."),
        (Figure(reason="nothing"), 0, "Against a GPT-2 of the same shape: nothing to measure it on."),
        (figure(TRIFLE, 0.0, 2 * TRIFLE), 0, "No difference"),
    ],
)  # fmt: skip
def test_a_difference_is_told_as_its_interval_allows(one: Figure, side: int, begins: str) -> None:
    assert side_of(one) == side
    assert tell_difference(one, "gpt2").startswith(begins)


def test_alpha_earns_its_place_only_against_all_rivals() -> None:
    rivals = ("gpt2", "uniform", "shuffled")
    told = tell_verdict([difference(name, BETTER) for name in rivals])
    assert told == (
        "Alpha earns its place here: NOVA foretells text better than a GPT-2 of the same shape, uniform alpha and "
        "shuffled labels."
    )
    for lost in rivals:
        for one, begins in (
            (WORSE, "Alpha does not earn its place in foretelling text here: NOVA is better"),
            (NO_BETTER, "Alpha does not earn its place in foretelling text here: NOVA is better"),
            (UNSEEN, "These data do not show that alpha earns its place in foretelling text: NOVA is better"),
            (figure(-0.5), "These data do not show that alpha earns its place"),
        ):
            some = [difference(name, one if name == lost else BETTER) for name in rivals]
            assert tell_verdict(some).startswith(begins)
    mixed = [difference(name, one) for name, one in zip(rivals, (WORSE, UNSEEN, BETTER), strict=True)]
    assert tell_verdict(mixed).endswith(
        "NOVA is better than shuffled labels, worse than a GPT-2 of the same shape and not to be told from uniform "
        "alpha."
    )


def test_a_question_that_was_not_asked_is_not_answered() -> None:
    told = tell_verdict([difference("gpt2", BETTER), difference("concat", BETTER)])
    assert told == (
        "Whether alpha earns its place was not asked in full: no training with uniform alpha and shuffled labels."
    )
