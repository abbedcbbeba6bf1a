"""The shards of a corpus that an export takes, and which of their rows are an example's first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from schemas.errors import StoreError
from schemas.manifest import TableFile
from storage.datasets import Dataset, read_table


@dataclass(frozen=True)
class CorpusShard:
    """A file of the corpus, its split and its phase; `first` marks the rows whose example no shard before has."""

    split: str
    phase: int
    file: TableFile
    first: NDArray[np.bool_]


def find_shards(corpus: Dataset, splits: Sequence[str], phase: int | None) -> list[CorpusShard]:
    """The shards of the chosen splits and phase (None: of all), in the corpus's order. Raises StoreError."""
    taken = [
        (split, served, file)
        for split in splits
        for file in corpus.files(split)
        if phase in (None, served := phase_of(corpus, split, file))
    ]
    first = mark_first(corpus, ((split, file) for split, _, file in taken))
    ends = np.cumsum([file.rows for _, _, file in taken], dtype=np.int64)
    return [
        CorpusShard(split, served, file, first[end - file.rows : end])
        for (split, served, file), end in zip(taken, ends, strict=True)
    ]


def mark_first(corpus: Dataset, files: Iterable[tuple[str, TableFile]]) -> NDArray[np.bool_]:
    """For each row of the files, one after the other: whether it is the first of its example."""
    # As bytes: a quarter of the memory that strings take.
    ids = [
        read_table(corpus.store, file, split, ["example_id"])["example_id"].to_numpy().astype("S")
        for split, file in files
    ]
    first = np.zeros(sum(map(len, ids)), bool)
    if ids:
        first[np.unique(np.concatenate(ids), return_index=True)[1]] = True
    return first


def phase_of(corpus: Dataset, split: str, file: TableFile) -> int:
    """The phase that a shard serves. Raises StoreError for a shard of several."""
    found = pc.unique(read_table(corpus.store, file, split, ["phase"])["phase"]).to_pylist()
    if len(found) != 1:
        raise StoreError("a shard holds several phases", where=file.path, fix="Build the corpus again.")
    return int(found[0])
