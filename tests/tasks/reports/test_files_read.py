"""Which files a report says were read."""

from __future__ import annotations

from typing import Any

from tasks.files_read import files_read
from tests.tasks.reports.conftest import MemoryTables


def row(digest: str, kept: int, **others: Any) -> dict[str, Any]:
    return {"file_digest": digest, "format": "generic", "bytes": 10, "conversations_seen": kept,
            "conversations_kept": kept} | others  # fmt: skip


def test_a_file_read_in_pieces_is_one_line(make_table: Any) -> None:
    rows = [
        row("big", 2, warnings=["a piece of the file, bytes 0 to 5: 1", "odd: 1"]),
        row(
            "big",
            3,
            warnings=["a piece of the file, bytes 5 to 10: 1"],
            failures=[{"at": "x", "reason": "y"}],
        ),
        row("small", 1, conversations_left_out=[{"reason": "language", "count": 4}]),
    ]
    tables = MemoryTables({"imports": [make_table("imports", rows[:1]), make_table("imports", rows[1:])]})
    big, small = files_read(tables, {"big": ["big.jsonl"], "small": ["small.jsonl"]})
    assert (big["label"], big["kept"], big["bytes"]) == ("big.jsonl", 5, 10)
    assert (big["warnings"], big["failures"]) == (["odd: 1"], [{"at": "x", "reason": "y"}])
    assert (small["label"], small["kept"], small["left_out"]) == ("small.jsonl", 1, 4)


def test_equal_files_keep_their_names(make_table: Any) -> None:
    rows = [row("same", count) for count in (1, 2, 3, 4)]
    tables = MemoryTables({"imports": [make_table("imports", rows)]})
    found = [(line["label"], line["kept"]) for line in files_read(tables, {"same": ["a.jsonl", "b.jsonl"]})]
    assert found == [("a.jsonl", 3), ("b.jsonl", 7)]


def test_a_build_that_read_nothing_has_no_lines() -> None:
    assert files_read(MemoryTables({}), {}) == []
