"""Overlapping exports: of the copies of a conversation the newest is current, whatever the order of the files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest

from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import ReconcileSettings
from schemas.tables import STANDING
from tasks.reconciliation import reconcile
from tests.schemas.rows import MemoryDataset, table


def at(day: int | None) -> datetime | None:
    return None if day is None else datetime(2026, 11, day, tzinfo=UTC)


def copy(
    conversation: str, file: str, day: int | None = 1, messages: int = 2, content: str = "h"
) -> dict[str, Any]:
    return {
        "conversation_id": conversation,
        "file_digest": file,
        "updated_at": at(day),
        "messages": messages,
        "content_hash": content,
    }


def standing(*parts: Sequence[dict[str, Any]]) -> list[Part]:
    data = MemoryDataset([table("conversations", *rows) for rows in parts])
    made = list(reconcile({"conversations": data}, ReconcileSettings()))
    assert [part.tables["standing"].num_rows for part in made] == [len(rows) for rows in parts]
    return made


def rows_of(made: Sequence[Part]) -> list[tuple[str, bool, str | None]]:
    rows = [row for part in made for row in part.tables["standing"].to_pylist()]
    return [(row["conversation_id"], row["current"], row["superseded_by"]) for row in rows]


def tally_of(made: Sequence[Part]) -> dict[str, int]:
    return {key: sum(part.tally[key] for part in made) for key in made[0].tally}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (copy("c", "old", day=1), copy("c", "new", day=2)),
        (copy("c", "old", day=1, messages=9), copy("c", "new", day=2)),
        (copy("c", "old", day=None, messages=9), copy("c", "new", day=1)),
        (copy("c", "old", messages=2), copy("c", "new", messages=3)),
        (copy("c", "old", day=None, messages=2), copy("c", "new", day=None, messages=3)),
        (copy("c", "a", content="h2"), copy("c", "new", content="h1")),
        (copy("c", "z"), copy("c", "new")),
    ],
    ids=["newer", "newer-but-shorter", "dated", "longer", "longer-undated", "content", "file"],
)
def test_which_copy_is_current(old: dict[str, Any], new: dict[str, Any]) -> None:
    expected = {("c", True, None), ("c", False, "new")}
    for rows in ([old, new], [new, old]):
        assert set(rows_of(standing(rows))) == set(rows_of(standing(*[[row] for row in rows]))) == expected
        made = rows_of(standing(rows))
        assert made[rows.index(new)] == ("c", True, None)


def test_the_order_of_files_does_not_matter() -> None:
    copies = [copy("c", "f1", 1), copy("c", "f2", 3), copy("c", "f3", 3, messages=1), copy("d", "f1", 9)]
    outcomes = set()
    for order in permutations(copies):
        told = zip(
            (row["file_digest"] for row in order), rows_of(standing(order[:2], order[2:])), strict=True
        )
        outcomes.add(frozenset(told))
    assert outcomes == {
        frozenset(
            {
                ("f1", ("c", False, "f2")),
                ("f2", ("c", True, None)),
                ("f3", ("c", False, "f2")),
                ("f1", ("d", True, None)),
            }
        )
    }


def test_equal_files_twice_leave_one_current_copy_of_each() -> None:
    rows = [copy("c", "f"), copy("d", "f")]
    made = standing(rows, rows)
    assert rows_of(made) == [("c", True, None), ("d", True, None), ("c", False, "f"), ("d", False, "f")]
    assert tally_of(made) == {"current": 2, "set_aside:superseded": 2, "current_repeated": 0}


def test_two_copies_in_one_part() -> None:
    made = standing([copy("c", "f", 1), copy("c", "f", 2)])
    assert rows_of(made) == [("c", False, "f"), ("c", True, None)]


def test_parts_stay_aligned_and_balanced() -> None:
    parts = [
        [copy("c", "f1"), copy("d", "f1")],
        [copy("e", "f2")],
        [copy("d", "f3", 5), copy("f", "f3", None)],
    ]
    made = standing(*parts)
    assert [part.tables["standing"].schema for part in made] == [STANDING] * 3
    assert [row[0] for row in rows_of(made)] == ["c", "d", "e", "d", "f"]
    tally = tally_of(made)
    assert tally == {"current": 4, "set_aside:superseded": 1, "current_repeated": 0}
    assert draw_ledger("reconcile", tally, 5).unaccounted == 0


def test_one_undated_conversation() -> None:
    assert rows_of(standing([copy("c", "f", None)])) == [("c", True, None)]
