"""Which windows a training really reads, and what that comes to.

A run that max_steps (or less than an epoch) ends reads only the beginning of its order, which the seed alone fixes.
What is claimed of a training is counted here, so that no example is named that it never saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from models.lora.rendering import IGNORED
from models.training.order import rows_read
from models.training.schedule import Batch, PhasePlan


@dataclass(frozen=True)
class Reading:
    """All windows in figures: a `pyarrow.Table` of example_id, phase, window (its number within the example), replies,
    tokens, trained_tokens. `members` are, by phase, the windows in each row of the trainer; None: row n is window n.
    """

    figures: Any
    members: tuple[Sequence[Sequence[int]] | None, ...]

    def read(self, batches: Iterable[tuple[PhasePlan, Batch]], seed: int) -> Any:
        """The figures of the windows that the phases come to, each with the batch that it was trained with."""
        import numpy as np

        phases = self.figures["phase"].to_numpy()
        reached = np.zeros(len(phases), bool)
        for plan, batch in batches:
            rows, members = rows_read(plan, batch, seed), self.members[plan.number - 1]
            windows = rows if members is None else [number for row in rows for number in members[row]]
            reached[(phases == plan.number).nonzero()[0][windows]] = True
        return self.figures.filter(reached)


@dataclass(frozen=True)
class Totals:
    """Distinct examples and windows: one that stands in several phases, or is repeated in one, counts once."""

    examples: int
    windows: int
    replies: int
    tokens: int
    trained_tokens: int


def count_windows(windows: Any, members: tuple[Sequence[Sequence[int]] | None, ...]) -> Reading:
    """The figures of a training split's windows, in their order."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    tables = []
    for batch in windows.with_format("arrow").iter(batch_size=1000):
        labels = pc.list_flatten(batch["labels"]).to_numpy()
        lengths = pc.list_value_length(batch["labels"]).to_numpy()
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        trained = np.add.reduceat((labels != IGNORED).astype(np.int64), starts)
        kept = {name: batch[name] for name in ("example_id", "phase", "window", "replies")}
        tables.append(pa.table({**kept, "tokens": lengths.astype(np.int64), "trained_tokens": trained}))
    return Reading(pa.concat_tables(tables).combine_chunks(), members)


def sum_up(figures: Any) -> Totals:
    """What these windows come to, each counted once however often it is read."""
    distinct = figures.group_by(["example_id", "window"], use_threads=False).aggregate(
        [(name, "max") for name in _SUMMED]
    )
    return Totals(
        len(distinct["example_id"].unique()),
        distinct.num_rows,
        *(sum(distinct[f"{name}_max"].to_pylist()) for name in _SUMMED),
    )


_SUMMED = ("replies", "tokens", "trained_tokens")
