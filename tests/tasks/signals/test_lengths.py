"""Lengths as a reader would count them, and how much a text repeats itself."""

from __future__ import annotations

import re
import sys
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.signals.lengths import INVISIBLE, are_ellipses, count_words, repetition, repetitions, visible


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
    assert count_words(pa.array([text])).to_pylist() == [words]


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
    assert visible(pa.array([text, "x"])).to_pylist() == [seen, "x"]


@pytest.mark.parametrize("text", [".", "...", "…", "……", ". . .", "。。。", "···", "・・・", "..\n.."])
def test_ellipsis(text: str) -> None:
    assert are_ellipses(pa.array([text])) == [True]


@pytest.mark.parametrize("text", ["", "!", "...ok", "a.", "-...", "?.."])
def test_not_an_ellipsis(text: str) -> None:
    assert are_ellipses(pa.array([text])) == [False]


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
    assert repetitions(pa.array(["", text])).tolist() == [0.0, repetition(text)]


@settings(deadline=None)
@given(st.lists(st.text(alphabet="aAbBßẞ \u00a0\n.é", max_size=60), max_size=8))
def test_repetition_of_many_texts_is_that_of_each(texts: list[str]) -> None:
    seen = visible(pa.array(texts, pa.string()))
    assert repetitions(seen).tolist() == [repetition(text) for text in seen.to_pylist()]


def test_repetition_of_texts_with_more_words_than_are_numbered() -> None:
    words = [f"w{number}" for number in range(1 << 17)] + ["a b c a b c"]
    texts = pa.array([" ".join(words), "la la la la"])
    assert repetitions(texts).tolist() == [repetition(text) for text in texts.to_pylist()]
    assert repetitions(texts)[1] == 0.5


def test_letters_and_spaces_are_those_of_python() -> None:
    """All characters that this Python knows; later versions of Unicode add letters."""
    known = [chr(c) for c in range(sys.maxunicode + 1) if unicodedata.category(chr(c)) not in ("Cn", "Cs")]
    alone = pa.array(known)
    word = re.compile("\\w|[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")
    assert [n > 0 for n in count_words(alone).to_pylist()] == [word.match(c) is not None for c in known]
    seen = [text != "" for text in visible(alone).to_pylist()]
    assert seen == [bool(INVISIBLE.sub("", c).strip()) for c in known]
    between = visible(pa.array([f"a{c}b a{c}b a{c}b a{c}b" for c in known]))
    assert repetitions(between).tolist() == [repetition(text) for text in between.to_pylist()]
