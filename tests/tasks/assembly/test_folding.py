"""The form in which two texts count as the same."""

from __future__ import annotations

import sys
import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.assembly.folding import fold, fold_all

ROMANIAN = "Știu că mâine țara își sărbătorește înțelepții."


@pytest.mark.parametrize(
    "twin",
    [
        "Stiu ca maine tara isi sarbatoreste inteleptii.",
        "ȘTIU CĂ MÂINE ȚARA ÎȘI SĂRBĂTOREȘTE ÎNȚELEPȚII.",
        "  Știu\tcă \n mâine țara  își sărbătorește înțelepții. ",
        ROMANIAN.replace("ș", "ş").replace("Ș", "Ş").replace("ț", "ţ"),
        unicodedata.normalize("NFD", ROMANIAN),
    ],
)
def test_romanian_twins_fold_to_the_same(twin: str) -> None:
    assert fold(twin) == fold(ROMANIAN) == "stiu ca maine tara isi sarbatoreste inteleptii."


@pytest.mark.parametrize("other", ["Știu ca mâine", "știu că mâine țara", "știucă mâine", "știu că mâine?"])
def test_other_words_stay_other(other: str) -> None:
    assert (fold(other) == fold("Știu că mâine")) == (other == "Știu ca mâine")


def test_folding_twice_changes_nothing() -> None:
    for text in (ROMANIAN, "Straße ﬁn", "日本語", "😀 ok", ""):
        assert fold(fold(text)) == fold(text)
    assert fold("Straße") == fold("STRASSE")


@settings(deadline=None)
@given(st.lists(st.text(alphabet="aAșȘ \u00a0\n\u0301´ﷺßé😀", max_size=30), max_size=6))
def test_many_texts_fold_as_each(texts: list[str]) -> None:
    assert fold_all(pa.array(texts, pa.string())) == [fold(text).encode() for text in texts]


def test_every_character_folds_as_it_does_alone() -> None:
    texts = [
        f"a{chr(code)}b {chr(code)} c" for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000
    ]
    assert fold_all(pa.array(texts)) == [fold(text).encode() for text in texts]
