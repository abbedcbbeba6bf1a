"""What the report counts of near copies and of evaluation prompts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from tasks.reports.near_copies import SHOWN, contaminated, near_copies
from tasks.reports.statistics import ClusterShown
from tests.schemas.rows import table


class Memory:
    def __init__(self, **tables: pa.Table) -> None:
        self.tables = tables

    def has(self, name: str) -> bool:
        return name in self.tables

    def scan(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        yield self.tables[name].select(list(columns))


def row(example: str, keeper: str, similarity: float, method: str) -> dict[str, object]:
    return {"example_id": example, "keeper_id": keeper, "cluster_id": f"c{keeper}", "similarity": similarity,
            "method": method}  # fmt: skip


def test_near_copies_by_tenths_and_the_largest_clusters() -> None:
    rows = [
        row("a", "a", 1.0, "exact"), row("b", "a", 1.0, "exact"), row("c", "a", 0.6, "near"),
        row("d", "a", 0.95, "near"), row("e", "e", 1.0, "near"), row("f", "e", 0.98, "semantic"),
    ]  # fmt: skip
    tenths, shown = near_copies(Memory(clusters=table("clusters", *rows)))
    assert tenths == {"0.6 to 0.7": 1, "0.9 to 1.0": 2}
    assert [(c.keeper_id, c.copies, round(c.lowest, 2)) for c in shown] == [("a", 2, 0.6), ("e", 1, 0.98)]
    assert all(isinstance(c, ClusterShown) for c in shown)


def test_only_the_largest_are_shown_and_exact_copies_are_not() -> None:
    many = [row(f"m{n:02d}", f"k{n:02d}", 0.7, "near") for n in range(SHOWN + 5)]
    assert len(near_copies(Memory(clusters=table("clusters", *many)))[1]) == SHOWN
    assert near_copies(Memory(clusters=table("clusters", row("a", "b", 1.0, "exact")))) == ({}, ())


def test_contaminated_examples_are_counted_by_file() -> None:
    rows = [
        {"example_id": f"{n}", "evaluation": name}
        for n, name in enumerate(("a:b.txt:1", "a:b.txt:12", "c.txt:1"))
    ]
    assert contaminated(Memory(contaminated=table("contaminated", *rows))) == {"a:b.txt": 2, "c.txt": 1}
    assert contaminated(Memory()) == {}
