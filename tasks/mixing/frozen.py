"""Files of frozen ids: examples or conversations that keep the splits they have."""

from __future__ import annotations

import io
import json

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.json

from schemas.errors import SettingsError
from schemas.tables import SPLITS

_COLUMNS = ("id", "split")
_SHAPE = 'CSV with the header id,split, or lines like {"id": "...", "split": "test"}'
_ID = "^[0-9a-f]{32}$"


def read_frozen(data: bytes, where: str = "mix.frozen") -> pa.Table:
    """The columns id and split of a CSV or JSONL file. Raises SettingsError for anything that it cannot mean."""
    try:
        table = _jsonl(data) if data.lstrip()[:1] == b"{" else _csv(data)
    except (
        pa.ArrowException,
        ValueError,
        KeyError,
        TypeError,
        RecursionError,
    ):  # the last: nested too deeply
        raise SettingsError(
            "the file of frozen ids cannot be read", where=where, fix=f"It is {_SHAPE}."
        ) from None
    _refuse(table, pc.invert(pc.match_substring_regex(table["id"], _ID)), "is no id of 32 digits", where)
    unknown = pc.invert(pc.is_in(table["split"], pa.array(SPLITS)))
    _refuse(table, unknown, f"has a split that is none of {', '.join(SPLITS)}", where)
    distinct = table.group_by(list(_COLUMNS)).aggregate([])
    twice = distinct.group_by("id").aggregate([("split", "count")])
    torn = twice.filter(pc.greater(twice["split_count"], 1))["id"]
    if len(torn):
        raise SettingsError(f"the frozen id {torn[0].as_py()} has two splits", where=where)
    return distinct.sort_by("id")


def _csv(data: bytes) -> pa.Table:
    read = pa.csv.ConvertOptions(column_types=dict.fromkeys(_COLUMNS, pa.string()), include_columns=_COLUMNS)
    return pa.csv.read_csv(io.BytesIO(data), convert_options=read)


def _jsonl(data: bytes) -> pa.Table:
    rows = [json.loads(line) for line in data.splitlines() if line.strip()]
    return pa.table({name: pa.array([row[name] for row in rows], pa.string()) for name in _COLUMNS})


def _refuse(table: pa.Table, wrong: pa.ChunkedArray, what: str, where: str) -> None:
    row = pc.index(pc.fill_null(wrong, True), True).as_py()
    if row >= 0:
        shown = str(table["id"][row].as_py())[:60]
        raise SettingsError(f"the frozen id {shown!r} (entry {row + 1:,}) {what}", where=where)
