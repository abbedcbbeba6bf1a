"""Bits per byte and perplexity, against sums by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tribal.evaluation.language import bits_per_byte, difference_in_bits, language_figures
from schemas.nova_evaluation import ConversationScore


def score(number: int, nats: float, tokens: int, size: int) -> ConversationScore:
    return ConversationScore(conversation_id=f"c{number}", nats=nats, tokens=tokens, bytes=size)


def test_by_hand() -> None:
    """Two conversations of 10 and 30 bytes: 8 bits and 12 bits together are 20 bits over 40 bytes."""
    scores = [score(0, 8 * math.log(2), 4, 10), score(1, 12 * math.log(2), 6, 30)]
    found = language_figures(scores)
    assert found.bits_per_byte.value == pytest.approx(0.5)
    assert found.perplexity.value == pytest.approx(2 ** (20 / 10))
    assert (found.conversations, found.tokens, found.bytes) == (2, 10, 40)
    assert found.bits_per_byte.low is None  # two conversations are too few


def test_a_model_that_knows_nothing_pays_eight_bits_for_a_byte() -> None:
    assert bits_per_byte(100 * math.log(256), 100) == pytest.approx(8.0)
    with pytest.raises(ValueError, match="no byte"):
        bits_per_byte(1.0, 0)


def test_no_conversation_gives_reasons() -> None:
    found = language_figures([])
    assert found.bits_per_byte.value is None
    assert found.bits_per_byte.reason == "nothing to measure it on"
    assert found.perplexity.value is None


@given(
    st.lists(st.tuples(st.floats(1, 500), st.integers(1, 50), st.integers(1, 200)), min_size=5, max_size=30),
    st.floats(-5, 5),
)
def test_a_difference_is_that_of_the_figures(rows: list[tuple[float, int, int]], more: float) -> None:
    first = [score(n, *row) for n, row in enumerate(rows)]
    second = [score(n, nats + more, *rest) for n, (nats, *rest) in enumerate(rows)]
    found = difference_in_bits([first], [second])
    assert found.value is not None
    figures = [language_figures(one).bits_per_byte.value or 0.0 for one in (first, second)]
    assert found.value == pytest.approx(figures[0] - figures[1], abs=1e-9)
    assert found.low is not None
    assert found.high is not None
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9


def test_runs_over_other_texts_are_not_compared() -> None:
    with pytest.raises(ValueError, match="different texts"):
        difference_in_bits([[score(0, 1.0, 2, 3)]], [[score(1, 1.0, 2, 3)]])
