"""Exact duplicates, with case, space and diacritics folded (the fold is the assemble stage's `text_hash`).

Only ids, hashes and sizes are read: five million examples take some hundred megabytes, whatever their text weighs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import pandas as pd
import pyarrow as pa

from schemas.parts import Part
from schemas.settings import DedupSettings
from schemas.tables import CLUSTERS


class Columns(Protocol):
    """A dataset of which narrow columns can be read at once."""

    def column(self, table: str, columns: list[str]) -> pa.Table:
        """The columns over all parts."""


def find_exact_duplicates(datasets: Mapping[str, Columns], settings: DedupSettings) -> Iterator[Part]:
    """Clusters of examples with one text.

    The keeper is the one with the most bytes (of two that differ in diacritics, the one that has them), then the
    one with the smallest id. Every row of a cluster points to it, its own too.
    """
    keys = datasets["examples"].column("examples", ["example_id", "text_hash", "text_bytes"]).to_pandas()
    tally = {"repeated_ids": int(keys["example_id"].duplicated().sum())}
    twins = keys[keys["text_hash"].duplicated(keep=False)] if settings.exact else keys.iloc[:0]
    twins = twins.sort_values(["text_hash", "text_bytes", "example_id"], ascending=[True, False, True])
    keepers = twins.groupby("text_hash")["example_id"].transform("first")
    clusters = pd.DataFrame(
        {
            "example_id": twins["example_id"],
            "cluster_id": twins["text_hash"],
            "keeper_id": keepers,
            "similarity": 1.0,
            "method": "exact",
        }
    )
    removed = int((clusters["example_id"] != clusters["keeper_id"]).sum())
    own = clusters[clusters["example_id"] == clusters["keeper_id"]]
    tally |= {
        "keepers": len(keys) - removed,
        "set_aside:exact_duplicate": removed,
        "clusters": int(clusters["cluster_id"].nunique()),
        "keeperless": int(clusters["cluster_id"].nunique() - own["cluster_id"].nunique()),
    }
    yield Part({"clusters": pa.Table.from_pandas(clusters, schema=CLUSTERS, preserve_index=False)}, tally)
