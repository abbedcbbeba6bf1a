"""The page of a comparison: what moved between two builds, with three messages that show each move."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.comparison import (
    Comparison,
    Level,
    Move,
    Moves,
    MoveSample,
    StageChange,
    group_changes,
    setting_text,
)
from tasks.reports.story import counted
from tasks.reports.templates import environment, stylesheet

SECTIONS = (
    ("messages", "Messages"),
    ("corpus", "Examples & corpus"),
    ("stages", "Stages"),
    ("settings", "Settings"),
    ("files", "Files"),
)
#: Said where the builds could not be compared to the end.
LEVELS: dict[Level, str] = {
    "placements": "",
    "verdicts": "One of the builds stops after its filter: verdicts are compared, not what the assembly made of them.",
    "messages": "One of the builds stops before its filter: only what was read is compared.",
}


def render_comparison(comparison: Comparison, samples: Sequence[MoveSample]) -> str:
    """The page as text. The same comparison and samples give the same bytes."""
    return (
        environment()
        .get_template("comparison.html")
        .render(
            style=stylesheet(),
            title=f"{comparison.before} → {comparison.after}",
            sections=SECTIONS,
            comparison=comparison,
            sentence=_sentence(comparison),
            level=LEVELS[comparison.level],
            messages=_described(comparison.messages, samples),
            examples=_described(comparison.examples, ()),
            stages=[_stage(change) for change in comparison.stages],
            settings=[
                {
                    "key": change.key,
                    "before": setting_text(change.before),
                    "after": setting_text(change.after),
                }
                for change in group_changes(comparison.settings)
            ],
        )
    )


def _sentence(comparison: Comparison) -> str:
    moves = comparison.messages
    stayed = f"{moves.unchanged:,} of {counted(moves.after, 'message')} stand as they stood"
    moved = sum(move.count for move in moves.moved)
    if not moved:
        return f"No message moved: all {counted(moves.after, 'message')} stand as they stood."
    return f"{counted(moved, 'message')} moved; {stayed}."


def _described(moves: Moves, samples: Sequence[MoveSample]) -> list[dict[str, Any]]:
    """Moves with their samples, and what they are called."""
    return [
        {
            "move": move,
            "kind": _kind(move),
            "samples": [s for s in samples if (s.before, s.after) == (move.before, move.after)],
        }
        for move in moves.moved
    ]


def _kind(move: Move) -> str:
    """How the page says it: in words where a row is new, gone or reworded, else from state to state."""
    if move.before is None:
        return "new"
    if move.after is None:
        return "gone"
    return "reworded" if move.before == move.after else "moved"


def _stage(change: StageChange) -> dict[str, Any]:
    """A stage's row: rows in, out and set aside on either side."""
    aside = [
        {"reason": reason, "before": old, "after": new}
        for reason, (old, new) in sorted(_aside(change).items())
        if old != new
    ]
    sides = (change.before, change.after)
    rows = [(side.rows_in, side.rows_out) if side and side.rows_in else None for side in sides]
    word = "same dataset" if change.same else "computed anew"
    if change.before is None or change.after is None:
        word = (
            "only in the later" if change.after else "only in the earlier" if change.before else "in neither"
        )
    return {"stage": change.stage, "word": word, "rows": rows, "aside": aside, "marks": _marks(change)}


def _aside(change: StageChange) -> dict[str, tuple[int, int]]:
    old = change.before.set_aside if change.before else {}
    new = change.after.set_aside if change.after else {}
    return {reason: (old.get(reason, 0), new.get(reason, 0)) for reason in {*old, *new}}


def _marks(change: StageChange) -> list[str]:
    return [side.fingerprint[:12] for side in (change.before, change.after) if side]
