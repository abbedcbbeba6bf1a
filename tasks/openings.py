"""A few examples shown out of many: their sources, and where their texts begin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from schemas.visible import visible
from tasks.reports.statistics import ClusterShown

#: Characters shown of a text.
LINE = 120


class Takable(Protocol):
    """Tables of a build that can be read by columns and by rows."""

    def scan(self, table: str, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        """The parts of a table, in order, with some columns."""

    def take(self, table: str, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Single rows of a table, by their number over all parts."""


def find_examples(tables: Takable, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """The row and the source of each of these examples."""
    wanted, found, offset = pa.array(ids, pa.string()), {}, 0
    for part in tables.scan("examples", ["example_id", "source"]):
        for row in pc.indices_nonzero(pc.is_in(part["example_id"].combine_chunks(), wanted)).to_pylist():
            found[part["example_id"][row].as_py()] = (offset + row, part["source"][row].as_py())
        offset += part.num_rows
    return found


def read_openings(tables: Takable, rows: Sequence[int]) -> list[str]:
    """Where the examples of these rows begin: the first question of each, or whatever stands first."""
    if not rows:
        return []
    lines = tables.take("examples", rows, ["messages"])["messages"].to_pylist()
    return [_opening(messages) for messages in lines]


def _opening(messages: Sequence[dict[str, Any]]) -> str:
    first = next((line for line in messages if line["role"] == "user"), messages[0])
    return visible(" ".join(first["content"].split()), LINE)


def fill_clusters(tables: Takable, shown: Sequence[ClusterShown]) -> tuple[ClusterShown, ...]:
    """The same clusters with the sources of their members, and where the example that stays begins."""
    if not shown:
        return ()
    names = pa.array([cluster.cluster_id for cluster in shown], pa.string())
    members: dict[str, list[str]] = {}
    for part in tables.scan("clusters", ["example_id", "cluster_id"]):
        for row in part.filter(pc.is_in(part["cluster_id"], names)).to_pylist():
            members.setdefault(row["cluster_id"], []).append(row["example_id"])
    found = find_examples(tables, [example for ids in members.values() for example in ids])
    openings = read_openings(tables, [found[cluster.keeper_id][0] for cluster in shown])
    return tuple(
        replace(
            cluster,
            sources=dict(Counter(found[example][1] for example in members[cluster.cluster_id]).most_common()),
            opening=opening,
        )
        for cluster, opening in zip(shown, openings, strict=True)
    )
