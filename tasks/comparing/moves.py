"""The ledger of moves between two frames of states (tasks/comparing/states.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from schemas.comparison import Move, Moves


@dataclass(frozen=True)
class Pick:
    """A row that shows a move: its numbers in the tables of the two builds (None: not there)."""

    before: str | None
    after: str | None
    row_before: int | None
    row_after: int | None


@dataclass(frozen=True)
class Difference:
    """The moves, and a few rows of each to show."""

    moves: Moves
    picks: tuple[Pick, ...]

    @classmethod
    def nothing(cls) -> Difference:
        """Where there is nothing on either side that could have moved."""
        return cls(Moves(), ())


def compare_states(before: pl.DataFrame, after: pl.DataFrame, ids: int, picks: int = 0) -> Difference:
    """Every row of either frame in exactly one class: unchanged, or one move from state to state.

    Rows are the same when id and copy are: so a newer export that holds a conversation again moves nothing but its
    superseded copy. Each move names up to `ids` ids, the smallest, which are as good as drawn by lot.
    """
    joined = before.join(after, on=["id", "copy"], how="full", coalesce=True, suffix="_after")
    there, here = pl.col("row").is_not_null(), pl.col("row_after").is_not_null()
    same_state = there & here & (pl.col("state") == pl.col("state_after"))
    reworded = (pl.col("text") != pl.col("text_after")).fill_null(value=False)
    moved = joined.filter(~(same_state & ~reworded))
    role = pl.coalesce("role_after", "role").alias("role")
    grouped = (
        moved.with_columns(role)
        .group_by("state", "state_after")
        .agg(
            pl.len().alias("count"),
            pl.col("role").value_counts(sort=True).alias("roles"),
            pl.col("id").unique().sort().head(ids).alias("ids"),
            pl.struct("row", "row_after").sort_by("id", "copy").head(picks).alias("picks"),
        )
        .sort(["count", "state", "state_after"], descending=[True, False, False])
    )
    moves, shown = [], []
    for row in grouped.iter_rows(named=True):
        moves.append(_move(row))
        states = row["state"], row["state_after"]
        shown += [Pick(*states, pick["row"], pick["row_after"]) for pick in row["picks"]]
    ledger = Moves(
        before=before.height, after=after.height, unchanged=joined.height - moved.height, moved=moves
    )
    return Difference(ledger, tuple(shown))


def _move(row: dict[str, Any]) -> Move:
    """A class of moves from its line in the grouped frame; the most frequent role first."""
    roles = sorted(row["roles"], key=lambda item: (-item["count"], item["role"]))
    return Move(
        before=row["state"],
        after=row["state_after"],
        count=row["count"],
        by_role={item["role"]: item["count"] for item in roles},
        ids=row["ids"],
    )
