"""The text of the corpus, put into the order of the mixture in one pass over the examples.

The order is random, so every shard needs rows of every part. The parts are read once; the rows of each are laid, shard
by shard, into a scratch file, from which every shard then takes its pieces. Memory is that of one part or one shard,
and the disk holds the corpus once more, uncompressed, while it is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa

from schemas.tables import EXAMPLES
from tasks.mixing.candidates import Readable

#: Columns that are carried; all others are known by number.
CARRIED = pa.schema([EXAMPLES.field(name) for name in ("messages", "language")])


@dataclass(frozen=True)
class Shard:
    """A file of the corpus: what it is called, and the rows of the examples that it holds, in their order."""

    table: str
    phase: int
    label: str
    rows: np.ndarray


def gather(
    examples: Readable, parts: Sequence[int], shards: Sequence[Shard], scratch: Path
) -> Iterator[pa.Table]:
    """Per shard the carried columns of its rows. `parts` are the rows of each part of the examples."""
    rows = np.concatenate([np.empty(0, np.int64), *(shard.rows for shard in shards)])
    owner = np.repeat(np.arange(len(shards), dtype=np.int32), [len(shard.rows) for shard in shards])
    order = np.argsort(rows, kind="stable")
    pieces = _scatter(examples, parts, rows[order], owner[order], scratch / "rows")
    del rows, owner, order
    if not shards:
        return
    with pa.OSFile(str(scratch / "rows")) as source, pa.ipc.open_file(source) as reader:
        for number, shard in enumerate(shards):
            found = pa.Table.from_batches([reader.get_batch(at) for at in pieces[number]])
            place = np.empty(len(shard.rows), np.int64)
            place[np.argsort(shard.rows, kind="stable")] = np.arange(len(shard.rows))
            yield found.combine_chunks().take(pa.array(place))
            del found


def _scatter(
    examples: Readable, parts: Sequence[int], rows: np.ndarray, owner: np.ndarray, path: Path
) -> dict[int, list[int]]:
    """Read the parts once and write their pieces: `rows` (ascending) go to the shards `owner`.

    Returns the numbers of the pieces of each shard; a piece is ordered by row, and so are the pieces.
    """
    pieces: dict[int, list[int]] = defaultdict(list)
    written = begin = done = 0
    with path.open("wb") as sink, pa.ipc.new_file(sink, CARRIED) as writer:
        for part, length in zip(examples.scan("examples", CARRIED.names), parts, strict=True):
            end = int(np.searchsorted(rows, begin + length))
            order = np.argsort(owner[done:end], kind="stable")
            owners = owner[done:end][order]
            taken = part.combine_chunks().take(pa.array(rows[done:end][order] - begin))
            starts = np.flatnonzero(np.r_[len(owners) > 0, owners[1:] != owners[:-1]])
            for start, stop in pairwise([*starts, len(owners)]):
                writer.write_table(taken.slice(start, stop - start))
                pieces[int(owners[start])].append(written)
                written += 1
            begin, done = begin + length, end
    return pieces
