"""The reconcile stage's pure function: conversations in, standing out, row for row and part for part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa

from schemas.parts import Part
from schemas.settings import ReconcileSettings
from schemas.tables import STANDING

_KEYS = ["conversation_id", "updated_at", "messages", "content_hash", "file_digest"]


class Readable(Protocol):
    """A dataset that can be read by columns, part by part."""

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The parts in order."""


def reconcile(datasets: Mapping[str, Readable], settings: ReconcileSettings) -> Iterator[Part]:
    """Of the copies of a conversation the newest is current: latest update, then most messages.

    Ties are broken by content and file digest, so that the order of the files does not matter. `superseded_by`
    is the digest of the file that holds the current copy (the conversation's id is the same in both).
    """
    frames = [part.to_pandas() for part in datasets["conversations"].scan("conversations", _KEYS)]
    whole = pd.concat(frames, keys=range(len(frames)), names=["part", "row"]).reset_index()
    best = whole.sort_values(
        ["conversation_id", "updated_at", "messages", "content_hash", "file_digest", "part", "row"],
        ascending=[True, False, False, True, True, True, True],
        na_position="last",
    ).drop_duplicates("conversation_id")
    current = np.zeros(len(whole), bool)
    current[best.index] = True
    newest = whole["conversation_id"].map(best.set_index("conversation_id")["file_digest"])
    whole["current"] = current
    whole["superseded_by"] = newest.where(~current, None)
    for number, frame in whole.groupby("part", sort=True):
        standing = pa.Table.from_pandas(frame[STANDING.names], schema=STANDING, preserve_index=False)
        yield Part(
            {"standing": standing}, _tally(frame, best["conversation_id"].nunique() if number == 0 else 0)
        )


def _tally(frame: pd.DataFrame, distinct: int) -> dict[str, int]:
    """`current_repeated` comes out 0 when, over all parts, there is one current copy per conversation."""
    current = int(frame["current"].sum())
    return {
        "current": current,
        "set_aside:superseded": len(frame) - current,
        "current_repeated": current - distinct,
    }
