"""The page and the card of a NOVA: hostile names stay text, the curves are what was measured, nothing is asked for."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nova_run import EvaluatedLine, MemberCount, NovaRun, ValidationPoint
from schemas.training_run import Need, PhaseRun, StepPoint
from tasks.reports.curves import draw_loss, draw_measured
from tasks.reports.nova import NAMED, render_nova, tell_nova
from tasks.reports.nova_card import NovaCardFacts, render_nova_card
from tests.tasks.reports.pages import HOSTILE, assert_offline_and_inert


def run(**more: object) -> NovaRun:
    values: dict[str, object] = {
        "name": "mine", "fingerprint": "1" * 32, "corpus": "2" * 32, "build": "20261121", "preset": "p",
        "folder": "/home/x", "parameters": 2_338_445,
    }  # fmt: skip
    return NovaRun.model_validate(values | more)


def steps(first: int, count: int) -> tuple[StepPoint, ...]:
    return tuple(
        StepPoint(step=first + n, loss=6 / (1 + n / 10), learning_rate=1e-3 * (1 - n / count))
        for n in range(count)
    )


def measured(*points: tuple[int, int, float]) -> tuple[ValidationPoint, ...]:
    return tuple(
        ValidationPoint(phase=phase, step=step, lm_loss=bits * 2, label_loss=0.5, bits_per_byte=bits)
        for phase, step, bits in points
    )


def full(text: str) -> NovaRun:
    return run(
        name=text[:80],
        facts=((text[:200], text),),
        notes=(text,),
        phases=(PhaseRun(name=text, steps=steps(1, 30)), PhaseRun(name="second", steps=steps(31, 20))),
        validation=measured((1, 1, 4.9), (1, 20, 3.1), (1, 30, 2.9), (2, 30, 1.9), (2, 50, 1.8)),
        before=4.9, after=2.8,
        members=(MemberCount(name=text, turns=3, tokens=40), MemberCount(name="sora", turns=1, tokens=10)),
        unlabelled={text: 3}, strangers={text: 2}, set_aside={text: 3},
        examples=30, examples_in=33, tokens=900, trained_tokens=800, labelled_tokens=50,
        evaluation=(
            EvaluatedLine(name=text, value=text, interval=text, note=text),
            EvaluatedLine(name="perplexity", value="12.34", interval="11.98 to 12.71"),
        ),
        preflight=(Need(part=text, estimated=1e9, measured=2e9, note=text),),
        settings=text,
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    assert_offline_and_inert(render_nova(full(text)))


def test_an_empty_run_is_a_page_too() -> None:
    text = render_nova(run())
    for said in ("were not written down", "Nothing was held out", "Nothing was held out to be measured on"):
        assert said in text
    assert render_nova(run()) == text


def test_what_was_measured_is_told_and_drawn() -> None:
    view = full("x")
    page = render_nova(view)
    for title in ("Loss of the next token", "Bits per byte, held out", "Loss of the labels", "Learning rate"):
        assert title in page
    assert "11.98 to 12.71" in page
    assert "all that was held out from 4.900 to 2.800 bits per byte" in tell_nova(view)
    assert "50 steps over 30 of 33 examples in 2 phases" in tell_nova(view)
    curves = [[(1, 9.8), (20, 6.2), (30, 5.8)], [(30, 3.8), (50, 3.6)]]
    drawn = draw_loss(view.phases, "t", curves)
    assert drawn is not None
    assert (len(drawn.dots), [bound.label for bound in drawn.bounds]) == (5, ["x", "second"])
    held = [line.points.split() for line in drawn.lines if line.kind == "held"]
    assert [len(points) for points in held] == [3, 2], "a phase is measured on its own: its line begins anew"
    assert page.count('class="run held"') == 3 * 2


def test_more_strangers_than_one_reads_are_a_number() -> None:
    page = render_nova(run(strangers={f"s{n:02}": 99 - n for n in range(NAMED + 7)}))
    assert "and 7 more" in page
    assert f"s{NAMED - 1:02}" in page
    assert f"s{NAMED:02}" not in page
    assert "<code>members: null</code>" in page
    assert "over the whole training split" in page, "the steps may not have come to every label"


@given(st.lists(st.floats(min_value=-1e6, max_value=1e6), min_size=2, max_size=40))
def test_points_stay_on_the_canvas_and_in_their_order(values: list[float]) -> None:
    drawn = draw_measured("x", [[(3 * n + 1, value) for n, value in enumerate(values)]], ())
    assert drawn is not None
    assert len(drawn.dots) == len(values)
    assert all(drawn.left <= d.x <= drawn.right for d in drawn.dots)
    assert all(drawn.top - 1 <= d.y <= drawn.base + 1 for d in drawn.dots)
    assert [d.x for d in drawn.dots] == sorted(d.x for d in drawn.dots)
    highest, lowest = values.index(max(values)), values.index(min(values))
    assert drawn.dots[highest].y <= drawn.dots[lowest].y


def test_what_is_no_number_is_not_drawn() -> None:
    assert draw_measured("x", [[(1, math.nan), (2, 1.0)]], ()) is None


def card(**more: Any) -> str:
    result: dict[str, Any] = {
        "members": ["nova", "sora"], "parameters": 2_338_445, "vocab_size": 2048, "dtype": "float32", "steps": 12,
        "first_lm_loss": 7.6, "last_lm_loss": 6.0, "examples": 39, "examples_set_aside": {"not_reached": 4},
        "tokens": 900, "trained_tokens": 800,
        "labels": {"turns": {"nova": 3, "sora": 9}, "tokens": {"nova": 30, "sora": 80}},
        "before": {"bits_per_byte": 4.9}, "after": {"bits_per_byte": 3.3}, "libraries": {"torch": "2.13"},
    }  # fmt: skip
    preset = {"layers": 4, "d_model": 192, "heads": 4, "context": 512, "mixing": "residual"}
    return render_nova_card(
        NovaCardFacts(
            name=more.pop("name", "mine"), corpus="2" * 32, build="b1", stages={"filter": "3" * 32},
            sources={"claude": 39}, licenses={}, languages={"ro": 30, "en": 9}, filter_settings={},
            preset=more.pop("preset", "tiny"), preset_values=preset, result=result | more, labelled_tokens=110,
        )
    )  # fmt: skip


def test_the_card_says_what_must_be_said() -> None:
    text = card()
    for said in (
        "# mine\n", "library_name: transformers", "**This is an AI.**", "| sora | 9 | 80 |", "4.9000, 3.3000",
        "Read: 39 of 43 distinct examples", "Not read: 4 not reached", "4 / 192 / 4 / 512", "of 110 it is known",
        "over the whole training split", "the tribal transformer, with 2,338,445 weights",
    ):  # fmt: skip
        assert said in text, said
    assert "nothing was held out" in card(before=None, after=None)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_names_are_plain_text_on_the_card(text: str) -> None:
    made = card(name=text, preset=text)
    for sign in ("<script", "<img", "<iframe"):
        assert sign not in made.partition("## Settings")[0]
