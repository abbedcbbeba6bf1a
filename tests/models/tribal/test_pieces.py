"""Byte-level tokens as text: the tokenizer's own reading, and never half a character."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from models.chat_tokenizer import MARKS, train_tokenizer
from models.tribal.pieces import Pieces

TOKENIZER = train_tokenizer(["Focul ne ține. The fire keeps us. 🔥"], 290, 64)
PIECES = Pieces(TOKENIZER)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, len(TOKENIZER) - 1), max_size=30))
def test_any_tokens_read_as_the_tokenizer_reads_them(tokens: list[int]) -> None:
    assert PIECES.text(tokens) == TOKENIZER.decode(tokens, skip_special_tokens=True)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=30))
def test_no_character_is_torn_and_none_is_kept_back(text: str) -> None:
    tokens = ids(text)
    PIECES.restart()
    told = [PIECES.add(token) for token in tokens]
    assert "\ufffd" not in "".join(told)
    assert PIECES.rest() == ""
    assert "".join(told) == text


def test_a_character_appears_with_its_last_byte() -> None:
    tokens = ids("日")  # three bytes that were never merged
    PIECES.restart()
    assert [PIECES.add(token) for token in tokens] == ["", "", "日"]


def test_what_never_becomes_whole_is_told_at_the_end() -> None:
    PIECES.restart()
    assert PIECES.add(ids("日")[0]) == ""
    assert PIECES.rest() == "\ufffd"


def test_labels_of_tokens_by_themselves() -> None:
    assert PIECES.label(ids("日")[0]) == "‹E6›"
    assert PIECES.label(TOKENIZER.convert_tokens_to_ids(MARKS["user"])) == "<|user|>"
    assert PIECES.label(ids("ț")[0]) == "ț"


def ids(text: str) -> Any:
    return TOKENIZER(text, split_special_tokens=True)["input_ids"]
