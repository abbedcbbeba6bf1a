"""Who speaks and how much, from author and intensity; what is no number is refused by its kind, never clipped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.tribal.labels import NOBODY, Label, Labeller, read_intensity
from models.tribal.members import folded, members_of
from schemas.errors import InputError, SettingsError
from schemas.settings.tribal import TribalPreset
from tests.models.tribal.training.conftest import say

MEMBERS = ("nova", "sora", "lumin")


@pytest.mark.parametrize(
    ("message", "label"),
    [
        (say("assistant", "x", "Sora", intensity="0.85"), Label(1, 0.85)),
        (say("assistant", "x", " SÓRA ", intensity="85%"), Label(1, 0.85)),
        (say("assistant", "x", "lumin"), Label(2, 1.0)),
        (say("assistant", "x", "lumin", intensity=" "), Label(2, 1.0)),
        (say("assistant", "x", "lumin", intensity="0"), Label(2, 0.0)),
        (say("assistant", "x", "Nova", intensity="0.2"), Label(0, 1.0)),
        (say("assistant", "x", "Ada"), Label(NOBODY, reason="not_a_member")),
        (say("assistant", "x", "Ada", intensity="burning"), Label(NOBODY, reason="not_a_member")),
        (say("assistant", "x"), Label(NOBODY, reason="no_author")),
        (say("assistant", "x", "  "), Label(NOBODY, reason="no_author")),
        (say("assistant", "x", "Sora", trainable=False), Label(NOBODY, reason="masked")),
        (say("user", "x", "Sora"), Label(NOBODY, reason="user")),
        (say("system", "x"), Label(NOBODY, reason="system")),
        (say("tool", "x"), Label(NOBODY, reason="tool")),
        (say("tool_call", "x", "Sora"), Label(NOBODY, reason="tool")),
    ],
)
def test_the_label_of_a_turn(message: dict[str, object], label: Label) -> None:
    assert Labeller(MEMBERS, 1.0).label(message, "example") == label


def test_without_a_default_a_member_without_intensity_has_no_label_but_the_core_has() -> None:
    labeller = Labeller(MEMBERS, None)
    assert labeller.label(say("assistant", "x", "Sora"), "e") == Label(NOBODY, reason="no_intensity")
    assert labeller.label(say("assistant", "x", "nova"), "e") == Label(0, 1.0)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("1.01", "above 1"), ("101%", "above 1"), ("-0.1", "below 0"), ("high", "no number"), ("nan", "no number"),
     ("inf", "above 1"), ("%", "no number"), ("85 percent", "no number")],
)  # fmt: skip
def test_an_intensity_that_is_none_names_the_example_and_not_the_value(text: str, kind: str) -> None:
    with pytest.raises(InputError, match=rf"intensity of a turn is {kind}.*example E-7") as refused:
        Labeller(MEMBERS, 1.0).label(say("assistant", "x", "Sora", intensity=text), "E-7")
    assert text not in str(refused.value) or text == "%"


@given(st.floats(0, 1))
def test_every_number_from_0_to_1_is_read_as_it_is(value: float) -> None:
    assert read_intensity(repr(value), "e") == value
    assert read_intensity(f" {value * 100!r} %", "e") == pytest.approx(value)


def test_members_come_from_the_authors_of_the_corpus_under_their_usual_spelling(preset: TribalPreset) -> None:
    authors = {"Sora": 2, "sora": 5, "SÓRA": 1, "Lumin": 9, "NOVA": 50, "\x00odd": 99, "Ada": 8}
    asked = preset.model_copy(update={"members": None})
    assert members_of(asked, authors) == ("nova", "Lumin", "Ada", "sora")
    assert members_of(asked, {}) == ("nova",)
    assert members_of(preset, authors) == preset.members


def test_no_more_members_than_a_tribe_has(preset: TribalPreset) -> None:
    asked = preset.model_copy(update={"members": None})
    found = members_of(asked, {f"Voice {n}": 100 - n for n in range(90)})
    assert len(found) == 64
    assert found[-1] == "Voice 62"


def test_a_phase_for_somebody_who_wrote_nothing_is_refused(preset: TribalPreset) -> None:
    values = {**preset.model_dump(), "members": None}
    values["phases"] = [{"name": "one", "learning_rate": 0.1, "member": "Zora"}]
    with pytest.raises(SettingsError, match=r"'Zora', who wrote no reply.*nova, Sora"):
        members_of(TribalPreset.model_validate(values), {"Sora": 3})


def test_members_whose_names_differ_by_accents_alone_are_one(preset: TribalPreset) -> None:
    assert folded(" Sóra") == folded("SORA")
    with pytest.raises(SettingsError, match="two members have one name"):
        members_of(preset.model_copy(update={"members": ("nova", "sora", "sóra")}), {})
