"""An evaluation of a NOVA as lines of a table: what was measured, the value, its interval, and what it means."""

from __future__ import annotations

from typing import NamedTuple

from schemas.nova_evaluation import DetectionFigures, Evaluation, Figure
from tasks.reports.story import counted


class EvaluatedRow(NamedTuple):
    """One line; `interval` is empty where there is none, `value` a dash where there is nothing to measure it on."""

    name: str
    value: str
    interval: str
    note: str


def evaluation_rows(evaluation: Evaluation) -> tuple[EvaluatedRow, ...]:
    """The figures of a model on held-out text, as people read them."""
    told = evaluation.language
    text = f"{counted(told.conversations, 'conversation')}, {told.tokens:,} tokens, {told.bytes:,} bytes"
    rows = [
        _row(
            "bits per byte",
            told.bits_per_byte,
            f"on the {evaluation.split} split: {text}; lower is better",
            4,
        ),
        _row(
            "perplexity",
            told.perplexity,
            "per token; only models with the same tokenizer can be compared by it",
            2,
        ),
    ]
    if evaluation.detection is not None:
        rows += _detection_rows(evaluation.detection)
    if evaluation.windows_left_out:
        left = f"{evaluation.windows_left_out:,} windows beyond {evaluation.windows:,} were not measured"
        rows.append(EvaluatedRow("not measured", f"{evaluation.windows_left_out:,}", "", left))
    return tuple(rows)


def _detection_rows(found: DetectionFigures) -> list[EvaluatedRow]:
    tokens = f"at each of {found.tokens:,} labelled tokens"
    rows = [
        _row(
            "who speaks: AUC",
            found.macro_auc,
            f"mean over the members, {tokens}; 0.5 is chance, 1 is always right",
        ),
    ]
    rows += [
        _row(
            f"AUC at tokens {tell_position(one.first, one.last)} of a turn",
            one.macro_auc,
            f"{one.tokens:,} tokens",
        )
        for one in found.positions
    ]
    rows += [
        _row(
            f"AUC of {member.name}",
            member.auc,
            f"{member.tokens:,} tokens in {counted(member.conversations, 'conversation')}",
        )
        for member in found.members
    ]
    most = (
        ""
        if found.majority is None
        else f"always naming the most frequent member would give {found.majority:.3f}"
    )
    return [
        *rows,
        _row("accuracy", found.accuracy, most),
        _row(
            "calibration error (ECE)",
            found.ece,
            "how far alpha's sureness is from how often it is right; 0 is best",
        ),
        _row("Brier score", found.brier, "squared distance of alpha from who speaks, 0 to 2; 0 is best"),
    ]


def _row(name: str, figure: Figure, note: str, decimals: int = 3) -> EvaluatedRow:
    reason = [] if figure.reason is None else [figure.reason]
    return EvaluatedRow(
        name,
        tell_value(figure, decimals),
        tell_interval(figure, decimals),
        "; ".join([note, *reason]).strip("; "),
    )


def tell_value(figure: Figure, decimals: int = 3) -> str:
    """The value, or a dash."""
    return "–" if figure.value is None else f"{figure.value:.{decimals}f}"


def tell_interval(figure: Figure, decimals: int = 3) -> str:
    """`0.912 to 0.934`, or nothing."""
    if figure.low is None or figure.high is None:
        return ""
    return f"{figure.low:.{decimals}f} to {figure.high:.{decimals}f}"


def tell_position(first: int, last: int | None) -> str:
    """`5–16`, `65+`."""
    return f"{first}+" if last is None else f"{first}–{last}"
