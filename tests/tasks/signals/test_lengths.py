"""Lengths as a reader would count them, and how much a text repeats itself."""

from __future__ import annotations

import pytest

from tasks.signals.lengths import count_words, is_ellipsis, repetition, visible


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        ("fine", 1),
        ("don't", 1),
        ("don’t stop", 2),
        ("într-un l-am", 2),
        ("well-known, old - but good", 4),
        ("日本語です", 5),
        ("สวัสดี", 6),
        ("GPU を使う", 4),
        ("안녕 하세요", 2),
        ("🔥 ... !!", 0),
        ("3.5 m", 3),
    ],
)
def test_words(text: str, words: int) -> None:
    assert count_words(text) == words


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("  fine\n", "fine"),
        ("\u200b\ufeff\u2060", ""),
        ("\u200b \u00ad", ""),
        ("fi\u00adne\u200d", "fine"),
        ("a\u00a0b", "a\u00a0b"),
        ("ș🔥", "ș🔥"),
    ],
)
def test_visible_is_what_a_reader_sees(text: str, seen: str) -> None:
    assert visible(text) == seen


@pytest.mark.parametrize("text", [".", "...", "…", "……", ". . .", "。。。", "···", "・・・", "..\n.."])
def test_ellipsis(text: str) -> None:
    assert is_ellipsis(text)


@pytest.mark.parametrize("text", ["", "!", "...ok", "a.", "-...", "?.."])
def test_not_an_ellipsis(text: str) -> None:
    assert not is_ellipsis(text)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0.0),
        ("one two three", 0.0),
        ("one two three four five six", 0.0),
        ("a b c a b c", 1 - 3 / 4),
        ("A b C a B c", 1 - 3 / 4),
        ("la la la la la la la la la la la la", 1 - 1 / 10),
    ],
)
def test_repetition_is_the_share_of_repeated_trigrams(text: str, share: float) -> None:
    assert repetition(text) == pytest.approx(share)
