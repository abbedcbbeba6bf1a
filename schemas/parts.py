"""What a stage's pure function gives back: parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa


@dataclass(frozen=True)
class Part:
    """Some tables that belong together (same conversations), and additive counts about them.

    `tally` holds whole numbers that may be summed over parts; set-aside rows are counted as
    `set_aside:<reason>`, so that the ledger of the stage can be drawn up without reading the tables again. `label`
    begins the names of the files of a corpus stage's part (None: table and number).
    """

    tables: Mapping[str, pa.Table]
    tally: Mapping[str, int] = field(default_factory=dict)
    label: str | None = None


def conversation_rows(messages: pa.Table) -> np.ndarray:
    """Per message the row of its conversation in the aligned conversations part (int64).

    By position, not by id: two copies of a conversation, from overlapping exports, may stand in one part.
    """
    starts = messages["position"].to_numpy() == 0
    return np.asarray(np.cumsum(starts) - 1, dtype=np.int64)
