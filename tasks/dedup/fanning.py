"""Work on the texts of some rows, part by part on Daft: in threads here, or on a cluster with `DAFT_RUNNER=ray`.

What goes out is a part's number and its rows, what comes back is bytes; results are told apart by the part's number, so
nothing depends on the order in which workers finish.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

#: All that is read of the messages.
LEAVES = ("messages.list.element.role", "messages.list.element.content")


class Parts(Protocol):
    """A dataset of examples that can be read part by part. Picklable."""

    def part(self, table: str, number: int, columns: Sequence[str]) -> pa.Table:
        """One part, with the columns asked for."""


def over_parts(
    parts: Parts,
    rows: Sequence[np.ndarray],
    work: Callable[[pa.ChunkedArray], bytes],
) -> Iterator[tuple[int, bytes]]:
    """(part, what `work` makes of the messages of its rows), in any order; parts without a wanted row are left out.

    Raises what the reading of a part raised.
    """
    wanted = [number for number, some in enumerate(rows) if len(some)]
    if not wanted:
        return
    daft = load_daft()
    kind = daft.DataType.struct({"part": daft.DataType.int64(), "made": daft.DataType.binary()})

    def answer(numbers: Any, chosen: Any) -> list[dict[str, Any]]:
        told = zip(numbers.to_pylist(), chosen.to_arrow(), strict=True)
        return [{"part": number, "made": work(_read(parts, number, some.values))} for number, some in told]

    orders = pa.table(
        {"part": wanted, "rows": pa.array([rows[n] for n in wanted], pa.large_list(pa.int64()))}
    )
    query = daft.from_arrow(orders).into_batches(1)
    answered = daft.func.batch(return_dtype=kind)(answer)(daft.col("part"), daft.col("rows"))
    for batch in query.select(answered.alias("answer")).to_arrow_iter():
        for told in batch.column(0):
            yield told["part"].as_py(), told["made"].as_buffer()


def load_daft() -> Any:
    """Daft, silent: no telemetry, no progress bars. Imported where a stage runs and not before."""
    os.environ.update(
        DO_NOT_TRACK="1", DAFT_ANALYTICS_ENABLED="0", DAFT_PROGRESS_BAR="0", RAY_USAGE_STATS_ENABLED="0"
    )
    import daft

    return daft


def _read(parts: Parts, number: int, chosen: pa.Array) -> pa.ChunkedArray:
    messages = parts.part("examples", number, LEAVES)["messages"]
    return messages if len(chosen) == len(messages) else messages.take(chosen)
