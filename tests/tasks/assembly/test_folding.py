"""The form in which two texts count as the same."""

from __future__ import annotations

import unicodedata

import pytest

from tasks.assembly.folding import fold

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
