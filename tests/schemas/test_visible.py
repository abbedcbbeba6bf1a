import pytest

from schemas.visible import visible
from tasks.reports.reasons import percent


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ro: ăâîșț, 🔥👩‍🚀", "plain, ro: ăâîșț, 🔥👩‍🚀"),
        ("a\u202eb", "a‹U+202E›b"),
        ("\u2066x\u2069", "‹U+2066›x‹U+2069›"),
        ("\x00\x1b[31m", "‹U+0000›‹U+001B›[31m"),
        ("\ud800", "‹U+D800›"),
        ("\U000e0041", "‹U+E0041›"),
        ("zero\u200bwidth\ufeff", "zero‹U+200B›width‹U+FEFF›"),
        ("line\nnext\ttab", "line\nnext\ttab"),
        ("old\rnew\r\nend", "old‹U+000D›new\r\nend"),
    ],
)
def test_hidden_characters_are_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_long_text_is_cut_in_the_middle() -> None:
    shown = visible("a" * 1000 + "z" * 1000)
    assert len(shown) == 303
    assert (shown[0], shown[-1]) == ("a", "z")


def test_stacked_marks_are_thinned() -> None:
    assert visible("e" + "\u0301" * 50) == "e" + "\u0301" * 3


@pytest.mark.parametrize(
    ("count", "total", "shown"),
    [
        (85, 100, "85.0%"),
        (100, 100, "100%"),
        (0, 7, "0%"),
        (0, 0, "–"),
        (1, 10**6, "0.1%"),
        (10**6 - 1, 10**6, "99.9%"),
    ],
)
def test_shares_never_round_a_part_to_all_or_nothing(count: int, total: int, shown: str) -> None:
    assert percent(count, total) == shown
