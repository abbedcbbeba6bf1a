"""The page of a training run: hostile text stays text, the curves are what was measured, and nothing is asked for."""

from __future__ import annotations

import math

import pytest

from schemas.training_run import (
    Need,
    PhaseRun,
    Piece,
    SaidAnswer,
    SaidSample,
    ShownWindow,
    StepPoint,
    TrainingRun,
)
from tasks.reports.curves import POINTS, draw_loss, draw_rates
from tasks.reports.training import render_training, tell_training
from tests.tasks.reports.pages import HOSTILE, assert_offline_and_inert


def steps(first: int, count: int, loss: float = 2.0) -> tuple[StepPoint, ...]:
    return tuple(
        StepPoint(step=first + n, loss=loss / (1 + n / 10), learning_rate=1e-4 * (1 - n / count))
        for n in range(count)
    )


def run(**more: object) -> TrainingRun:
    values: dict[str, object] = {
        "name": "ada", "fingerprint": "1" * 32, "corpus": "2" * 32, "build": "20261121", "preset": "p", "base": "b",
        "base_is_demo": False, "backend": "TRL + PEFT", "folder": "/home/x",
    }  # fmt: skip
    return TrainingRun.model_validate(values | more)


def full(text: str) -> TrainingRun:
    pieces = (Piece(text=text, learned=True), Piece(text=text, learned=False))
    answer = SaidAnswer(text=text, tokens=3, stopped=False)
    return run(
        name=text[:80],
        base=text,
        facts=((text[:200], text),),
        notes=(text,),
        phases=(
            PhaseRun(name=text, steps=steps(1, 30), validation_before=2.1, validation_after=1.4, learning_rate=1e-4),
            PhaseRun(name="second", steps=steps(31, 20, 1.2), validation_before=1.4, validation_after=1.5),
        ),
        set_aside={text: 3},
        shown=(ShownWindow(example_id="e" * 32, phase=1, pieces=pieces),),
        preflight=(Need(part=text, estimated=1e9, measured=2e9, note=text), Need(part="speed", unit="tokens/s")),
        samples=(SaidSample(prompt=text, base=answer, adapter=answer),),
        settings=text,
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    assert_offline_and_inert(render_training(full(text)))


def test_an_empty_run_is_a_page_too() -> None:
    text = render_training(run())
    assert "were not written down" in text
    assert "vatra sample --adapter ada" in text
    assert render_training(run()) == text


def test_marked_is_what_is_learned() -> None:
    window = ShownWindow(
        example_id="e" * 32,
        phase=1,
        pieces=(Piece(text="asked ", learned=False), Piece(text="said<|end|>", learned=True)),
    )
    page = render_training(run(shown=(window,)))
    assert 'asked <mark class="learned">said&lt;|end|&gt;</mark></pre>' in page


def test_curves_are_what_was_measured() -> None:
    phases = full("x").phases
    drawn = draw_loss(phases)
    assert drawn is not None
    raw = [tuple(map(float, point.split(","))) for point in drawn.lines[0].points.split()]
    assert len(raw) == 50
    highest = max(point.loss for phase in phases for point in phase.steps)
    assert raw[0][1] == min(y for _, y in raw)  # up is less on a canvas
    assert highest == phases[0].steps[0].loss
    assert [bound.label for bound in drawn.bounds] == ["x", "second"]
    assert len(drawn.dots) == 4
    assert all(drawn.left <= x <= drawn.right and drawn.top <= y <= drawn.base for x, y in raw)
    rates = draw_rates(phases)
    assert rates is not None
    assert rates.up[0].label == "0"


def test_no_two_ticks_say_the_same() -> None:
    for low, high in ((7.3151, 7.3168), (0.0, 1.5), (2.0, 900.0), (1.0, 1.00001)):
        ends = (StepPoint(step=1, loss=high), StepPoint(step=2, loss=low))
        drawn = draw_loss([PhaseRun(name="x", steps=ends)])
        assert drawn is not None
        labels = [tick.label for tick in drawn.up]
        assert len(set(labels)) == len(labels) > 1, labels


def test_long_runs_are_drawn_by_their_means() -> None:
    drawn = draw_loss([PhaseRun(name="x", steps=steps(1, 10_000))])
    assert drawn is not None
    assert len(drawn.lines[0].points.split()) <= POINTS
    # Long texts are cut on a page; a curve must not be.
    page = assert_offline_and_inert(
        render_training(run(phases=(PhaseRun(name="x", steps=steps(1, 10_000)),)))
    )
    drawn_there = [value for tag, name, value in page.attributes if (tag, name) == ("polyline", "points")]
    assert drawn.lines[0].points in drawn_there


def test_a_loss_that_is_no_number_draws_nothing_odd() -> None:
    broken = (StepPoint(step=1, loss=1.0), StepPoint(step=2, loss=math.nan), StepPoint(step=3, loss=math.inf))
    assert draw_loss([PhaseRun(name="x", steps=broken)]) is None
    assert draw_loss([]) is None
    flat = tuple(StepPoint(step=n, loss=1.0) for n in (1, 2))
    drawn = draw_loss([PhaseRun(name="x", steps=flat)])
    assert drawn is not None
    assert "nan" not in render_training(run(phases=(PhaseRun(name="x", steps=flat),)))


def test_the_sentence_says_how_much_was_read() -> None:
    phases = (PhaseRun(name="x", steps=steps(1, 2)),)
    assert "2 steps over 8 of 48 examples" in tell_training(run(phases=phases, examples=8, examples_in=48))
    assert "2 steps over 48 examples" in tell_training(run(phases=phases, examples=48, examples_in=48))
    page = render_training(run(phases=phases, preflight=(Need(part="time", measured=20.4, unit="seconds"),)))
    assert page.count(">step</text>") == 2
    assert "20 s" in page


def test_the_sentence_says_when_it_got_worse() -> None:
    worse = run(phases=(PhaseRun(name="x", steps=steps(1, 5), validation_before=1.0, validation_after=1.2),))
    better = run(phases=(PhaseRun(name="x", steps=steps(1, 5), validation_before=1.2, validation_after=1.0),))
    assert "it got worse there" in tell_training(worse)
    assert "worse" not in tell_training(better)
    assert "5 steps" in tell_training(better)
