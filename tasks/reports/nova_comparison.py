"""The page of a comparison of NOVA with its neighbours: one HTML page that asks no other host for anything."""

from __future__ import annotations

import math
from collections.abc import Sequence

from schemas.nova_evaluation import (
    ArmRun,
    ArmSummary,
    DetectionFigures,
    Difference,
    Figure,
    NovaComparison,
)
from tasks.reports.evaluated import tell_interval, tell_position, tell_value
from tasks.reports.interval_charts import draw_columns, draw_reliability, draw_rows
from tasks.reports.templates import environment, stylesheet

SECTIONS = (
    ("text", "Foretelling text"),
    ("members", "Telling who speaks"),
    ("data", "What was measured"),
    ("runs", "Every training"),
)
#: The arm whose alpha is asked.
NOVA = "nova"
_ASKED = ("macro_auc", "accuracy", "ece", "brier")


def render_nova_comparison(comparison: NovaComparison, told: dict[str, str]) -> str:
    """The page as text; `told` says of each arm what it is. The same comparison gives the same bytes."""
    asked = detections(comparison.runs, NOVA)
    return (
        environment()
        .get_template("nova_comparison.html")
        .render(
            style=stylesheet(),
            title=f"{comparison.preset} compared",
            comparison=comparison,
            told=told,
            sections=SECTIONS,
            bits=draw_rows(
                "Bits per byte of each arm: lower is better",
                [(one.arm, one.bits_per_byte, _kind(one.arm)) for one in comparison.arms],
            ),
            differences=draw_rows(
                "NOVA less the other, bits per byte: left of the line NOVA is better",
                [(one.other, one.bits_per_byte, _side(one)) for one in comparison.differences],
                decimals=4,
                zero=True,
            ),
            rows=[_arm_row(one, comparison) for one in comparison.arms],
            positions=draw_columns("AUC by place of the token in its turn", _positions(asked), chance=0.5),
            reliability=draw_reliability(asked[0].reliability) if asked else None,
            detectors=_detectors(comparison),
            members=_members(asked),
            asked=NOVA,
        )
    )


def detections(runs: Sequence[ArmRun], arm: str) -> list[DetectionFigures]:
    """Member detection of an arm's trainings that have a detector."""
    found = [run.evaluation.detection for run in runs if run.arm == arm]
    return [one for one in found if one is not None]


def mean_figure(figures: Sequence[Figure]) -> Figure:
    """The mean over seeds, from the lowest end of their intervals to the highest."""
    values = [one.value for one in figures if one.value is not None]
    if not values:
        return figures[0] if figures else Figure(reason="not measured")
    lows, highs = (
        [end for one in figures if (end := getattr(one, name)) is not None] for name in ("low", "high")
    )
    return Figure(
        value=math.fsum(values) / len(values), low=min(lows, default=None), high=max(highs, default=None)
    )


def _kind(arm: str) -> str:
    return "kept" if arm == NOVA else "user"


def _side(one: Difference) -> str:
    """Green where NOVA is better, red where it is worse, plain where nothing can be seen."""
    return {-1: "d4", 1: "d5"}.get(one.side, "d6")


def _arm_row(one: ArmSummary, comparison: NovaComparison) -> dict[str, object]:
    verdicts = {difference.other: difference.verdict for difference in comparison.differences}
    return {
        "arm": one.arm,
        "parameters": one.parameters,
        "steps": _span(one.steps),
        "bits": tell_value(one.bits_per_byte, 4),
        "bits_interval": tell_interval(one.bits_per_byte, 4),
        "perplexity": tell_value(one.perplexity, 2),
        "perplexity_interval": tell_interval(one.perplexity, 2),
        "verdict": verdicts.get(one.arm, ""),
    }


def _span(values: Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _positions(found: Sequence[DetectionFigures]) -> list[tuple[str, Figure]]:
    if not found:
        return []
    return [
        (
            tell_position(one.first, one.last),
            mean_figure([each.positions[number].macro_auc for each in found]),
        )
        for number, one in enumerate(found[0].positions)
    ]


def _detectors(comparison: NovaComparison) -> list[dict[str, str]]:
    """A line for each arm that has a detector, mean over its seeds."""
    rows = []
    for arm in comparison.arms:
        found = detections(comparison.runs, arm.arm)
        if not found:
            continue
        figures = {
            name: mean_figure([getattr(one, name) for one in found])
            for name in ("macro_auc", "accuracy", "ece", "brier")
        }
        row = {name: tell_value(figure) for name, figure in figures.items()}
        spans = {f"{name}_interval": tell_interval(figure) for name, figure in figures.items()}
        rows.append({"arm": arm.arm, **row, **spans})
    return rows


def _members(found: Sequence[DetectionFigures]) -> list[dict[str, object]]:
    if not found:
        return []
    return [
        {
            "name": one.name,
            "tokens": one.tokens,
            "conversations": one.conversations,
            "auc": tell_value(figure),
            "interval": tell_interval(figure),
            "reason": figure.reason or "",
        }
        for number, one in enumerate(found[0].members)
        for figure in [mean_figure([each.members[number].auc for each in found])]
    ]
