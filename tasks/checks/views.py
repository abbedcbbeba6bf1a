"""What expectations look at: per table a small pandas frame of ids, numbers and derived columns, never text.

Derived columns count what must not be: 0 is good. Great Expectations keeps unexpected values in its results, so
a view is also what keeps chat text out of them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.ledger import draw_ledger, with_prefix
from schemas.parts import conversation_rows
from schemas.tables import SPLITS

#: Great Expectations compares columns of 64 bits at once, and all others value by value (70 times slower, measured).
_WIDER = {pa.int32(): pa.int64(), pa.float32(): pa.float64()}


def view(table: str, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    """The frame that expectations on `table` are run on."""
    data = tables[table]
    maker = _VIEWS.get(table)
    return maker(data, tables) if maker else _frame(data, data.schema.names)


def summary_view(stage: str, summary: Mapping[str, int], rows_in: int | None) -> pd.DataFrame:
    """One row: the summary, the ledger's remainder, and what is derived from both."""
    ledger = draw_ledger(stage, summary, rows_in)
    row: dict[str, int] = {
        "kept": 0,
        "assistant_kept": 0,
        "rows:examples": 0,
        "rows:train": 0,
    }
    row.update(summary)
    row["unaccounted"] = ledger.unaccounted
    if stage == "parse":
        roles = sum(with_prefix(summary, "role:").values())
        row["conversations_miscounted"] = summary.get("rows:conversations", 0) - summary.get("kept", 0)
        row["messages_miscounted"] = summary.get("rows:messages", 0) - roles
    if stage == "mix":
        listed = sum(summary.get(f"rows:{split}", 0) for split in SPLITS)
        row["unlisted"] = summary.get("rows:mixture", 0) - listed
    return pd.DataFrame([row])


def _frame(data: pa.Table, columns: list[str]) -> pd.DataFrame:
    flat = [name for name in columns if not pa.types.is_nested(data.schema.field(name).type)]
    chosen = data.select(flat)
    wide = [_WIDER.get(field.type, field.type) for field in chosen.schema]
    frame: pd.DataFrame = chosen.cast(pa.schema(list(zip(flat, wide, strict=True)))).to_pandas()
    return frame


def _imports(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, data.schema.names)
    kinds = ("kept", "empty", "failed", "duplicate")
    counted = sum(frame[f"conversations_{kind}"] for kind in kinds) + _total(data, "conversations_left_out")
    frame["conversations_unaccounted"] = frame["conversations_seen"] - counted
    added = [_total(data, name) for name in ("messages_parsed", "messages_set_aside")]
    frame["messages_unaccounted"] = frame["messages_seen"] - added[0] - added[1]
    return frame


def _total(data: pa.Table, column: str) -> np.ndarray:
    """Per row, the sum of the counts in a list of {reason, count}."""
    lists = data[column].combine_chunks()
    counts = pc.struct_field(pc.list_flatten(lists), "count").to_numpy(zero_copy_only=False)
    return np.bincount(pc.list_parent_indices(lists), weights=counts, minlength=len(lists)).astype(np.int64)


def _conversations(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    return _frame(data, ["conversation_id", "source", "messages"])  # a title is chat text too


def _messages(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, ["message_id", "role"])
    frame["blank"] = (pc.utf8_length(pc.utf8_trim_whitespace(data["content"])).to_pandas() == 0).astype(int)
    row = pd.Series(conversation_rows(data))
    frame["misplaced"] = (data["position"].to_pandas() != row.groupby(row).cumcount()).astype(int)
    known = tables["conversations"]["conversation_id"].to_pandas().reindex(row).reset_index(drop=True)
    frame["orphan"] = (data["conversation_id"].to_pandas() != known).astype(int)
    return frame


def _standing(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, data.schema.names)
    frame["contradictory"] = (frame["current"] == frame["superseded_by"].notna()).astype(int)
    return frame


def _signals(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, ["message_id", "language", "chars", "words", "repetition", "toxicity"])
    hits = data["rule_hits"].combine_chunks()
    flat = pc.list_flatten(hits)
    start, end = (pc.struct_field(flat, name).to_numpy(zero_copy_only=False) for name in ("start", "end"))
    parents = pc.list_parent_indices(hits).to_numpy(zero_copy_only=False)
    outside = (start < 0) | (end <= start) | (end > frame["chars"].to_numpy()[parents])
    frame["hits_outside"] = np.bincount(parents, weights=outside, minlength=len(frame)).astype(int)
    return frame


def _verdicts(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, ["message_id", "action", "reason"])
    kept = frame["action"] == "keep"
    frame["unreasoned"] = (kept == frame["reason"].notna()).astype(int)
    evidence = pc.list_value_length(data["evidence"]).to_pandas()
    frame["unproven"] = (~kept & (evidence == 0)).astype(int)
    return frame


def _examples(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, ["example_id", "trainable", "chars"])
    lists = data["messages"].combine_chunks()
    flat = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy(zero_copy_only=False)
    role, author, intensity = (
        pc.struct_field(flat, name).to_pandas().fillna("") for name in ("role", "author", "intensity")
    )
    trainable = pc.struct_field(flat, "trainable").to_pandas().astype(bool)
    same_example = np.r_[False, parents[1:] == parents[:-1]] if len(parents) else np.array([], bool)
    speaks = role.isin(["user", "assistant"])
    same_voice = (role == role.shift()) & (author == author.shift()) & (intensity == intensity.shift())
    repeats = same_example & same_voice & speaks
    last = np.r_[parents[1:] != parents[:-1], True] if len(parents) else np.array([], bool)
    size = len(frame)
    frame["repeats"] = np.bincount(parents, weights=repeats, minlength=size).astype(int)
    frame["open_ended"] = np.bincount(parents, weights=last & (role != "assistant"), minlength=size).astype(
        int
    )
    others = trainable & (role != "assistant")
    frame["trained_others"] = np.bincount(parents, weights=others, minlength=size).astype(int)
    return frame


def _placements(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, data.schema.names)
    dropped = frame["placement"] == "dropped"
    frame["unreasoned"] = (dropped & frame["reason"].isna()).astype(int)
    frame["homeless"] = (dropped == frame["example_id"].notna()).astype(int)
    return frame


def _targets(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    """`outside`: rows beyond the bounds that are kept; each split is rounded to whole examples by itself."""
    frame = _frame(data, ["kind", "name", "rows", "kept_low", "kept_high"])
    parts = frame["kind"] != "total"
    size = frame.loc[parts, "rows"].sum()
    low, high = frame["kept_low"].fillna(0) * size, frame["kept_high"].fillna(0) * size
    beyond = np.maximum(low - frame["rows"], frame["rows"] - high) - len(SPLITS)
    frame["outside"] = np.where(parts, np.ceil(np.maximum(beyond, 0)), 0).astype(int)
    return frame


def _labels(data: pa.Table, tables: Mapping[str, pa.Table]) -> pd.DataFrame:
    frame = _frame(data, data.schema.names)
    frame["contradictory"] = ((frame["method"] == "unassigned") != frame["category"].isna()).astype(int)
    sure = frame["confidence"].notna()
    by_classifier = frame["method"] == "classifier"
    frame["unfounded"] = (by_classifier & ~sure | sure & ~frame["method"].isin(_TRIED)).astype(int)
    return frame


#: Labels that may have a confidence: the classifier was asked, and was sure enough or not.
_TRIED = ("classifier", "unassigned")

_VIEWS = {
    "targets": _targets,
    "imports": _imports,
    "conversations": _conversations,
    "messages": _messages,
    "standing": _standing,
    "signals": _signals,
    "verdicts": _verdicts,
    "examples": _examples,
    "placements": _placements,
    "labels": _labels,
}
