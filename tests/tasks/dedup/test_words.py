"""The words by which texts are compared."""

from __future__ import annotations

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.dedup.words import has_words, join_contents, normalise
from tests.schemas.rows import table


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Știi „ce” oră e?", "stii ce ora e"),
        ("s\u0326tiu  ca\u0306", "stiu ca"),
        ("it's it’s", "it s it s"),
        ("a+b = c-d; C# 3*4 10%", "a+b = c-d c# 3*4 10%"),
        ("ﬁn ＡＢＣ Straße", "fin abc strasse"),
        ("你好, hello", "你 好 hello"),
        ("ra\u0301u 🙂 ❤️", "rau 🙂 ❤"),
        ("…!? \n\t", ""),
        ("", ""),
    ],
)
def test_case_marks_and_punctuation_go_and_signs_stay(text: str, words: str) -> None:
    assert normalise(pa.array([text])).to_list() == [words]


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"])))
def test_folding_is_stable_and_leaves_single_spaces(text: str) -> None:
    (once,) = normalise(pa.array([text])).to_list()
    assert normalise(pa.array([once])).to_list() == [once]
    assert once == " ".join(once.split(" ")).strip()
    assert "  " not in once
    upper = unicodedata.normalize("NFC", "știu că " + text).upper()
    assert normalise(pa.array([upper]))[0].startswith("stiu ca")


def test_words_are_counted_only_where_it_matters() -> None:
    texts = normalise(pa.array(["one", "one two", "one two three", "", "long" * 200]))
    assert has_words(texts, 2).tolist() == [False, True, True, False, True]


def test_contents_are_joined_in_order_without_anything_else() -> None:
    lines = [{"role": "user", "author": "Ada", "content": "One."}, {"role": "assistant", "content": "Two."}]
    examples = table("examples", {"messages": lines}, {"messages": []}, {"messages": lines[:1]})
    assert join_contents(examples["messages"]).to_pylist() == ["One. Two.", "", "One."]
    assert join_contents(examples.slice(1)["messages"]).to_pylist() == ["", "One."]
