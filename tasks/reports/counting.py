"""Counting in Arrow: small tallies of a part, added up over parts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.tables import ROLES

Tally = Counter[tuple[Any, ...]]


def tally(columns: Mapping[str, Any], weight: str | None = None) -> Tally:
    """Rows (or the sum of the column `weight`) for each combination of the other columns."""
    table = pa.table(dict(columns))
    keys = [name for name in table.column_names if name != weight]
    what: Any = [([], "count_all")] if weight is None else [(weight, "sum")]
    grouped = table.group_by(keys).aggregate(what)
    *values, counts = [grouped.column(i).to_pylist() for i in _keys_first(grouped, keys)]
    found: Tally = Counter()
    for key, count in zip(zip(*values, strict=True), counts, strict=True):
        found[key] += int(count or 0)
    return found


def _keys_first(grouped: pa.Table, keys: Sequence[str]) -> list[int]:
    names = grouped.column_names
    return [names.index(key) for key in keys] + [i for i, name in enumerate(names) if name not in keys]


def whole(table: pa.Table, column: str) -> pa.Array:
    """A column of one part as one array."""
    return table.column(column).combine_chunks()


def bin_floor(values: pa.Array, bins: int) -> pa.Array:
    """Index (int64) of the equal bin of 0..1 that each score falls into; 1 belongs to the last bin."""
    # Scores are float32: 0.35 is 0.34999..., which belongs to the bin that begins at 0.35.
    scaled = pc.floor(pc.add(pc.multiply(values.cast(pa.float64()), float(bins)), 1e-6))
    return pc.max_element_wise(pc.min_element_wise(scaled.cast(pa.int64()), bins - 1), 0)


def bin_edges(values: pa.Array, edges: Sequence[int]) -> pa.Array:
    """Index (int64) of the bin each value falls into, given ascending exclusive upper edges."""
    found = pa.array([0] * len(values), pa.int64())
    for edge in edges:
        found = pc.add(found, pc.greater_equal(values, edge).cast(pa.int64()))
    return found


def flatten_records(column: pa.Array) -> tuple[pa.Array, Mapping[str, pa.Array]]:
    """A list-of-structs column as the row of each record, and the records' fields."""
    rows, records = pc.list_parent_indices(column), pc.list_flatten(column)
    names = [records.type.field(i).name for i in range(records.type.num_fields)]
    return rows, dict(zip(names, records.flatten(), strict=True))


def record_sums(table: pa.Table, column: str, prefix: str = "") -> Counter[str]:
    """Sums of a `COUNTS` column (list of reason and count) by reason."""
    _, fields = flatten_records(whole(table, column))
    sums: Counter[str] = Counter()
    for (reason,), count in tally({"reason": fields["reason"], "n": fields["count"]}, weight="n").items():
        sums[prefix + str(reason)] += count
    return sums


def by_role(counts: Mapping[str, int]) -> dict[str, int]:
    """The same counts in the order of `ROLES`, unknown roles last, zeros left out."""
    order = {role: i for i, role in enumerate(ROLES)}
    kept = [role for role, count in counts.items() if count]
    return {role: counts[role] for role in sorted(kept, key=lambda r: (order.get(r, len(order)), r))}


def largest_first(counts: Mapping[str, int]) -> dict[str, int]:
    """The same counts, most first, ties by name."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
