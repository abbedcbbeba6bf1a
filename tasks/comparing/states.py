"""From a build's tables to one narrow frame: per row its id and its state, and nothing that could be text.

States are short words: `kept`, `masked:slop`, `dropped:too_short`; of examples `train`, `left_out:exact_duplicate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl
import pyarrow as pa

from schemas.outcomes import UNEXPLAINED, fates
from schemas.parts import conversation_rows

#: Columns of a frame: number of the row over all parts, id, role, state, text (a hash, or null: not compared),
#: and which of several rows with one id this is (0: the current copy).
FRAME = {
    "row": pl.Int64(),
    "id": pl.String(),
    "role": pl.String(),
    "state": pl.String(),
    "text": pl.String(),
    "copy": pl.UInt32(),
}
PRESENT = "present"


def message_states(parts: Iterable[Mapping[str, pa.Table]]) -> pl.DataFrame:
    """The frame of a build's messages, from its aligned parts.

    A part holds `messages` (message_id, role, position, and content_hash where texts are compared), `standing`
    where it is known, and `verdicts` or `placements` as far as they are to be compared.
    """
    frames, offset = [], 0
    for part in parts:
        frames.append(_part_states(part, offset))
        offset += part["messages"].num_rows
    return _number_copies(pl.concat(frames) if frames else _empty())


def _part_states(part: Mapping[str, pa.Table], offset: int) -> pl.DataFrame:
    messages = part["messages"]
    size = messages.num_rows
    known = fates(part.get("verdicts"), part.get("placements"))
    current = pl.repeat(True, size, dtype=pl.Boolean, eager=True)
    if "standing" in part:
        owners = pa.array(conversation_rows(messages))
        current = _series(part["standing"]["current"].combine_chunks().take(owners))
    frame = pl.DataFrame(
        {
            "row": pl.int_range(offset, offset + size, dtype=pl.Int64, eager=True),
            "id": _series(messages["message_id"]),
            "role": _series(messages["role"]),
            "outcome": _series(known.outcome) if known else pl.repeat(PRESENT, size, eager=True),
            "reason": _series(known.reason) if known else pl.repeat(None, size, dtype=pl.String, eager=True),
            "text": (
                _series(messages["content_hash"])
                if "content_hash" in messages.column_names
                else pl.repeat(None, size, dtype=pl.String, eager=True)
            ),
            "current": current,
        }
    )
    state = pl.concat_str("outcome", "reason", separator=":", ignore_nulls=True)
    return frame.select("row", "id", "role", state.alias("state"), "text", "current")


def _series(column: pa.Array | pa.ChunkedArray) -> pl.Series:
    made = pl.from_arrow(column)
    assert isinstance(made, pl.Series)
    return made


def _empty() -> pl.DataFrame:
    return pl.DataFrame(schema={**{n: t for n, t in FRAME.items() if n != "copy"}, "current": pl.Boolean()})


def _number_copies(frame: pl.DataFrame) -> pl.DataFrame:
    """Overlapping exports repeat ids: the current copy is number 0, the superseded ones follow in table order."""
    ordered = frame.sort(pl.col("current").not_(), "row")
    return ordered.with_columns(copy=pl.int_range(pl.len(), dtype=pl.UInt32).over("id")).select(*FRAME)


def example_states(
    examples: pa.Table,
    clusters: pa.Table | None,
    mixture: pa.Table | None,
    left_out: pa.Table | None = None,
    contaminated: pa.Table | None = None,
) -> pl.DataFrame:
    """The frame of a build's examples: the split of each that is in the corpus, or why it is not in it.

    `examples` has example_id and text_hash; `clusters` example_id, keeper_id and method; `mixture` example_id and
    split; `left_out` example_id and reason; `contaminated` example_id. A stage not reached by the build is None.
    """
    frame = pl.DataFrame({name: _series(examples[name]) for name in ("example_id", "text_hash")})
    frame = frame.with_row_index("row")
    keeper = split = reason = pl.lit(None, pl.String)
    if clusters is not None:
        twins = pl.DataFrame({n: _series(clusters[n]) for n in ("example_id", "keeper_id", "method")})
        frame, keeper = frame.join(twins, on="example_id", how="left"), pl.col("keeper_id")
    else:
        frame = frame.with_columns(method=pl.lit(None, pl.String))
    asked = [] if contaminated is None else contaminated["example_id"].to_pylist()
    if mixture is not None:
        places = pl.DataFrame({n: _series(mixture[n]) for n in ("example_id", "split")}).unique("example_id")
        frame, split = frame.join(places, on="example_id", how="left"), pl.col("split")
    if left_out is not None:
        reasons = pl.DataFrame({n: _series(left_out[n]) for n in ("example_id", "reason")})
        frame, reason = frame.join(reasons, on="example_id", how="left"), pl.col("reason")
    state = (
        pl.when(split.is_not_null())
        .then(split)
        .when(keeper.is_not_null() & (keeper != pl.col("example_id")))
        .then(pl.concat_str(pl.lit("left_out:"), pl.col("method").replace("", "exact"), pl.lit("_duplicate")))
        .when(pl.col("example_id").is_in(asked))
        .then(pl.lit("left_out:contaminated"))
        .when(mixture is None)
        .then(pl.lit("unique" if clusters is not None else "assembled"))
        .otherwise(pl.concat_str(pl.lit("left_out:"), reason.fill_null(UNEXPLAINED)))
    )
    made = frame.select(
        pl.col("row").cast(pl.Int64),
        pl.col("example_id").alias("id"),
        pl.lit("example").alias("role"),
        state.alias("state"),
        pl.col("text_hash").alias("text"),
    )
    return made.with_columns(copy=pl.int_range(pl.len(), dtype=pl.UInt32).over("id")).select(*FRAME)
