"""The reconcile stage's pure function: conversations in, standing out, row for row and part for part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

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
    is the digest of the file that holds the current copy (the conversation's id is the same in both). Only
    conversations that may have a copy are compared; of all others eight bytes are held.
    """
    conversations = datasets["conversations"]
    several = _several(conversations)
    copies = _copies(conversations, several)
    lost = copies[~copies["current"]]
    total = sum(map(len, several)) - len(lost)
    for number, part in enumerate(conversations.scan("conversations", _KEYS[:1])):
        mine = lost[lost["part"] == number]
        standing = _standing(
            part["conversation_id"].combine_chunks(), mine["row"].to_numpy(), mine["newest"].tolist()
        )
        distinct = (
            total - int(copies["current"].sum()) + copies["conversation_id"].nunique() if number == 0 else 0
        )
        yield Part({"standing": standing}, _tally(part.num_rows, len(mine), distinct))


def _several(conversations: Readable) -> list[np.ndarray]:
    """Per part, which of its conversations have an id of which there may be several: found by the ids' hashes."""
    parts = [
        pl.Series(part["conversation_id"]).hash().to_numpy()
        for part in conversations.scan("conversations", _KEYS[:1])
    ]
    hashes = np.sort(np.concatenate([np.empty(0, np.uint64), *parts]))
    repeated = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    return [np.isin(part, repeated) for part in parts]


def _copies(conversations: Readable, several: Sequence[np.ndarray]) -> pd.DataFrame:
    """Those conversations, with their place, whether each is current, and the file of the current copy."""
    frames = []
    for number, (part, mask) in enumerate(
        zip(conversations.scan("conversations", _KEYS), several, strict=True)
    ):
        frame = part.filter(pa.array(mask)).to_pandas()
        frames.append(frame.assign(part=number, row=np.flatnonzero(mask)))
    whole = pd.concat(frames, ignore_index=True)
    best = whole.sort_values(
        ["conversation_id", "updated_at", "messages", "content_hash", "file_digest", "part", "row"],
        ascending=[True, False, False, True, True, True, True],
        na_position="last",
    ).drop_duplicates("conversation_id")
    current = np.zeros(len(whole), bool)
    current[best.index] = True
    newest = whole["conversation_id"].map(best.set_index("conversation_id")["file_digest"])
    found: pd.DataFrame = whole.assign(current=current, newest=newest)
    return found


def _standing(ids: pa.Array, superseded: np.ndarray, newest: list[str]) -> pa.Table:
    lost = np.zeros(len(ids), bool)
    lost[superseded] = True
    by = pc.replace_with_mask(pa.nulls(len(ids), pa.string()), pa.array(lost), pa.array(newest, pa.string()))
    columns = {"conversation_id": ids, "current": pa.array(~lost), "superseded_by": by}
    return pa.Table.from_arrays([columns[name] for name in STANDING.names], schema=STANDING)


def _tally(rows: int, superseded: int, distinct: int) -> dict[str, int]:
    """`current_repeated` comes out 0 when, over all parts, there is one current copy per conversation."""
    current = rows - superseded
    return {
        "current": current,
        "set_aside:superseded": superseded,
        "current_repeated": current - distinct,
    }
