"""The mix stage's pure function: the mixture, and the corpus's Parquet shards in the order of the mixture.

The text is read once per shard and only the shard's own rows are held, so memory is that of one shard.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from schemas.parts import Part
from schemas.settings import MixSettings
from schemas.tables import CORPUS, MIXTURE, SPLITS
from tasks.mixing.selection import choose, shares_missed

_KEYS = ["example_id", "conversation_id", "source", "text_bytes", "chars"]
_TEXT = ["example_id", "conversation_id", "source", "messages", "category", "language"]
PHASE = 1


class Readable(Protocol):
    """A dataset that can be read by columns, whole or part by part."""

    def column(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Narrow columns over all parts."""

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The parts in order."""


def publish_corpus(datasets: Mapping[str, Readable], settings: MixSettings) -> Iterator[Part]:
    """First the mixture, then shard after shard: train, validation, test. An empty split has no shard."""
    keys = datasets["examples"].column("examples", _KEYS).to_pandas()
    keys["row"] = np.arange(len(keys))
    clusters = datasets["clusters"].column("clusters", ["example_id", "keeper_id"]).to_pandas()
    removed = clusters.loc[clusters["example_id"] != clusters["keeper_id"], "example_id"]
    chosen, set_aside = choose(keys[~keys["example_id"].isin(removed)], settings)
    shards = list(_shards(chosen, settings.shard_bytes))
    straddling = chosen.groupby("conversation_id")["split"].nunique().gt(1).sum() if len(chosen) else 0
    tally = {f"set_aside:{reason}": count for reason, count in set_aside.items()}
    tally["straddling"] = int(straddling)
    tally["shares_missed"] = shares_missed(chosen, settings)
    tally["unlisted"] = len(chosen) - sum(len(rows) for _, rows in shards)
    mixture = chosen.assign(phase=PHASE)[MIXTURE.names]
    yield Part({"mixture": pa.Table.from_pandas(mixture, schema=MIXTURE, preserve_index=False)}, tally)
    chars = keys["chars"].to_numpy()
    for split, rows in shards:
        shard = _gather(datasets["examples"], rows)
        yield Part({split: shard}, {"foreign_chars": abs(_characters(shard) - int(chars[rows].sum()))})


def _shards(chosen: pd.DataFrame, shard_bytes: int) -> Iterator[tuple[str, np.ndarray]]:
    """Per shard its split, and the row numbers of its examples in the order of the mixture."""
    for split in SPLITS:
        rows = chosen[chosen["split"] == split].sort_values("order")
        if len(rows):
            shard = (rows["text_bytes"].cumsum() - 1) // shard_bytes
            for _, group in rows.groupby(shard):
                yield split, group["row"].to_numpy()


def _gather(examples: Readable, rows: np.ndarray) -> pa.Table:
    """The examples with these row numbers, in this order."""
    wanted = np.sort(rows)
    found, offset = [], 0
    for part in examples.scan("examples", _TEXT):
        inside = wanted[(wanted >= offset) & (wanted < offset + part.num_rows)] - offset
        found.append(part.take(pa.array(inside)))
        offset += part.num_rows
    table = pa.concat_tables(found).take(pa.array(np.searchsorted(wanted, rows)))
    phase = pa.array(np.full(len(rows), PHASE, np.int32))
    columns = [phase if name == "phase" else table[name] for name in CORPUS.names]
    return pa.Table.from_arrays(columns, schema=CORPUS)


def _characters(shard: pa.Table) -> int:
    """Characters that a model will read in the shard."""
    lines = pc.struct_field(pc.list_flatten(shard["messages"].combine_chunks()), "content")
    return pc.sum(pc.utf8_length(lines)).as_py() or 0
