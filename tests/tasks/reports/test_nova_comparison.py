"""The page of a comparison: figures as they were measured, hostile names as text, and nothing asked for."""

from __future__ import annotations

import pytest

from models.tribal.arms import ARMS
from models.tribal.evaluation.comparison import side_of, tell_difference
from schemas.nova_evaluation import (
    ArmRun,
    ArmSummary,
    DetectionFigures,
    Difference,
    Evaluation,
    Figure,
    LanguageFigures,
    MemberFigures,
    NovaComparison,
    PositionFigures,
    ReliabilityBin,
    Speaker,
)
from tasks.reports.evaluated import evaluation_rows
from tasks.reports.interval_charts import draw_columns, draw_reliability, draw_rows
from tasks.reports.nova_comparison import mean_figure, render_nova_comparison
from tests.tasks.reports.pages import HOSTILE, assert_offline_and_inert

TOLD = {name: arm.told for name, arm in ARMS.items()}
BITS = Figure(value=2.25, low=2.2, high=2.31)
AUC = Figure(value=0.8, low=0.7, high=0.9)
SILENT = Figure(reason="fewer than 10 labelled tokens")


def detection(name: str = "Sora") -> DetectionFigures:
    return DetectionFigures(
        tokens=900,
        conversations=30,
        macro_auc=AUC,
        accuracy=Figure(value=0.6, low=0.5, high=0.7),
        majority=0.4,
        ece=Figure(value=0.1, low=0.05, high=0.2),
        brier=Figure(value=0.5, low=0.4, high=0.6),
        members=(
            MemberFigures(name="nova", tokens=0, conversations=0, auc=SILENT),
            MemberFigures(name=name, tokens=900, conversations=30, auc=AUC),
        ),
        positions=(
            PositionFigures(first=1, last=4, tokens=100, macro_auc=SILENT, accuracy=SILENT),
            PositionFigures(first=5, last=None, tokens=800, macro_auc=AUC, accuracy=AUC),
        ),
        reliability=(
            ReliabilityBin(low=0, high=0.5, tokens=100, confidence=0.4, accuracy=0.5),
            ReliabilityBin(low=0.5, high=1, tokens=0, confidence=None, accuracy=None),
        ),
    )


def evaluation(found: DetectionFigures | None) -> Evaluation:
    language = LanguageFigures(
        bits_per_byte=BITS, perplexity=Figure(value=90.0), conversations=30, tokens=1200, bytes=4000
    )
    return Evaluation(split="test", language=language, detection=found, windows=40, windows_left_out=2)


def comparison(name: str = "Sora") -> NovaComparison:
    gap = Figure(value=-0.02, low=-0.03, high=-0.01)
    runs = tuple(
        ArmRun(
            arm=arm,
            seed=seed,
            parameters=1234,
            steps=10,
            best_step=5,
            validation_loss=3.5,
            evaluation=evaluation(detection(name) if arm == "nova" else None),
            scores=(),
        )
        for seed in (1, 2)
        for arm in ("nova", "gpt2")
    )
    return NovaComparison(
        preset=name,
        corpus="c" * 32,
        split="test",
        members=("nova", name),
        conversations=30,
        tokens=1200,
        bytes=4000,
        speakers=(Speaker(name=name, conversations=30, tokens=900, bytes=3000),),
        budget=10,
        runs=runs,
        arms=tuple(
            ArmSummary(
                arm=arm, seeds=(1, 2), parameters=1234, steps=(10, 8), bits_per_byte=BITS, perplexity=SILENT
            )
            for arm in ("nova", "gpt2")
        ),
        differences=(
            Difference(
                arm="nova",
                other="gpt2",
                bits_per_byte=gap,
                side=side_of(gap),
                verdict=tell_difference(gap, "gpt2"),
            ),
        ),
        verdict="Whether alpha earns its place was not asked in full.",
        notes=("2 seeds.",),
    )


def test_the_page_tells_what_was_measured() -> None:
    page = render_nova_comparison(comparison(), TOLD)
    words = assert_offline_and_inert(page).words
    for told in (
        "2.2500 2.2000 to 2.3100",
        "Better than a GPT-2 of the same shape by 0.0200 bits per byte (95% interval 0.0100 to 0.0300).",
        "0.800 0.700 to 0.900",
        "fewer than 10 labelled tokens",
        "8 to 10",
        "a GPT-2 of the same layers, width, heads, context and tokenizer",
    ):
        assert told in words, told
    assert render_nova_comparison(comparison(), TOLD) == page


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name: str) -> None:
    assert_offline_and_inert(render_nova_comparison(comparison(name), TOLD))


def test_intervals_lie_around_their_values_in_the_order_of_rows() -> None:
    chart = draw_rows(
        "t", [("a", BITS, "kept"), ("b", Figure(value=2.4), "user"), ("c", SILENT, "user")], zero=True
    )
    assert chart is not None
    first, second = chart.marks
    assert chart.left <= first.low < first.x < first.high <= chart.right
    assert second.low == second.x == second.high > first.high
    assert first.y < second.y < chart.base
    assert chart.line is not None
    assert chart.line.at < first.low  # zero lies left of what is above it
    assert draw_rows("t", [("c", SILENT, "user")]) is None


def test_columns_reach_from_chance_to_one() -> None:
    chart = draw_columns("t", [("1–4", SILENT), ("5+", AUC)], chance=0.5)
    assert chart is not None
    (mark,) = chart.marks
    assert chart.line is not None
    assert chart.line.at > mark.low > mark.y > mark.high > 0  # upwards is less
    assert [tick.label for tick in chart.across] == ["1–4", "5+"]
    assert draw_columns("t", [("1–4", SILENT)], chance=0.5) is None


def test_a_detector_that_is_never_off_lies_on_the_diagonal() -> None:
    bins = [
        ReliabilityBin(low=n / 4, high=(n + 1) / 4, tokens=10, confidence=n / 4, accuracy=n / 4)
        for n in range(4)
    ]
    chart = draw_reliability(bins)
    assert chart is not None
    assert all(x - chart.left == pytest.approx(chart.base - y) for x, y, _, _ in chart.dots)
    assert draw_reliability([]) is None


def test_a_mean_over_seeds_spans_their_intervals() -> None:
    found = mean_figure([AUC, Figure(value=0.9, low=0.85, high=0.95), SILENT])
    assert (found.value, found.low, found.high) == (pytest.approx(0.85), 0.7, 0.95)
    assert mean_figure([SILENT, SILENT]) == SILENT


def test_an_evaluation_in_lines() -> None:
    rows = {row.name: row for row in evaluation_rows(evaluation(detection()))}
    assert rows["bits per byte"].value == "2.2500"
    assert rows["bits per byte"].interval == "2.2000 to 2.3100"
    assert "on the test split: 30 conversations" in rows["bits per byte"].note
    assert rows["AUC of nova"].value == "–"
    assert "fewer than 10 labelled tokens" in rows["AUC of nova"].note
    assert rows["AUC at tokens 5+ of a turn"].value == "0.800"
    assert rows["not measured"].value == "2"
    assert "who speaks: AUC" not in {row.name for row in evaluation_rows(evaluation(None))}
    few = evaluation(None).language.model_copy(update={"conversations": 1})
    alone = evaluation(None).model_copy(update={"language": few})
    assert "split: 1 conversation, 1,200 tokens" in evaluation_rows(alone)[0].note
