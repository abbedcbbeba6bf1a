"""What the report shows of near copies and of evaluation prompts that were met."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from tasks.reports.counting import bin_floor, largest_first, tally, whole
from tasks.reports.statistics import ClusterShown
from tasks.reports.tables import Tables

#: Clusters that are shown one by one.
SHOWN = 10
_COLUMNS = ("example_id", "cluster_id", "keeper_id", "similarity", "method")


def near_copies(tables: Tables) -> tuple[dict[str, int], tuple[ClusterShown, ...]]:
    """How similar near copies are to their keepers, by tenths; and the clusters with most of them."""
    tenths: Counter[int] = Counter()
    clusters = [pa.table({"cluster_id": [], "keeper_id": [], "similarity": []}).cast(_CLUSTER)]
    for part in tables.scan("clusters", _COLUMNS):
        leaves = pc.not_equal(whole(part, "example_id"), whole(part, "keeper_id"))
        near = part.filter(pc.and_(leaves, pc.not_equal(whole(part, "method"), "exact"))).select(
            _CLUSTER.names
        )
        for (tenth,), count in tally({"tenth": bin_floor(whole(near, "similarity"), 10)}).items():
            tenths[tenth] += count
        clusters.append(near.cast(_CLUSTER))
    grouped = (
        pa.concat_tables(clusters)
        .group_by(["cluster_id", "keeper_id"])
        .aggregate([([], "count_all"), ("similarity", "min")])
    )
    order = [("count_all", "descending"), ("cluster_id", "ascending")]
    largest = grouped.sort_by(order).slice(0, SHOWN).to_pylist()
    shown = tuple(
        ClusterShown(row["cluster_id"], row["keeper_id"], row["count_all"], row["similarity_min"])
        for row in largest
    )
    return {f"{tenth / 10:.1f} to {(tenth + 1) / 10:.1f}": tenths[tenth] for tenth in sorted(tenths)}, shown


_CLUSTER = pa.schema([("cluster_id", pa.string()), ("keeper_id", pa.string()), ("similarity", pa.float32())])


def contaminated(tables: Tables) -> dict[str, int]:
    """Examples that were set aside for each file of evaluation prompts."""
    found: Counter[str] = Counter()
    if tables.has("contaminated"):
        for part in tables.scan("contaminated", ("evaluation",)):
            files = pc.replace_substring_regex(whole(part, "evaluation"), ":[0-9]+$", "")
            found.update({name: count for (name,), count in tally({"file": files}).items()})
    return largest_first(found)
