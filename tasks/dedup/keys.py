"""What the search for copies knows of each example beside its text: narrow columns, and the order of keepers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.settings import DedupSettings
from schemas.tables import TIME

_COLUMNS = ["example_id", "source", "text_hash", "text_bytes", "rating", "created_at"]
_KINDS = {
    "example_id": pa.string(),
    "text_hash": pa.string(),
    "text_bytes": pa.int64(),
    "rating": pa.float32(),
    "created_at": TIME,
    "priority": pa.int32(),
}


class Examples(Protocol):
    """A dataset of examples: narrow columns over all parts, and single parts."""

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The parts in order."""

    def part(self, table: str, number: int, columns: Sequence[str]) -> pa.Table:
        """One part."""


@dataclass(frozen=True)
class Keys:
    """One row per example, in the order of the dataset; part `p` begins at row `starts[p]`."""

    table: pa.Table
    starts: np.ndarray

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def split(self, rows: np.ndarray) -> list[np.ndarray]:
        """Sorted rows as the rows within each part."""
        cuts = np.searchsorted(rows, self.starts)
        return [rows[cuts[p] : cuts[p + 1]] - self.starts[p] for p in range(len(self.starts) - 1)]

    def ids(self, rows: np.ndarray) -> pa.Array:
        """The example ids of rows."""
        return self.table["example_id"].take(pa.array(rows)).combine_chunks()

    def best_first(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the order in which they are kept: priority, rating, bytes, age, id."""
        keys = self.table.drop_columns("text_hash").take(pa.array(rows))
        order = [("priority", "ascending"), ("rating", "descending"), ("text_bytes", "descending"),
                 ("created_at", "ascending"), ("example_id", "ascending")]  # fmt: skip
        found: np.ndarray = rows[pc.sort_indices(keys, sort_keys=order).to_numpy()]  # nulls come last
        return found

    def by_name(self, rows: np.ndarray) -> np.ndarray:
        """Rows in the order of their ids."""
        found: np.ndarray = rows[pc.array_sort_indices(self.ids(rows)).to_numpy()]
        return found


def read_keys(datasets: Mapping[str, Examples], settings: DedupSettings) -> Keys:
    """The narrow columns of all examples."""
    rank = {source: place for place, source in enumerate(settings.priority)}
    parts, sizes = [], [0]
    for part in datasets["examples"].scan("examples", _COLUMNS):
        sources = part["source"].combine_chunks().dictionary_encode()
        places = [rank.get(source, len(rank)) for source in sources.dictionary.to_pylist()]
        priority = pa.array(places, pa.int32()).take(sources.indices)
        parts.append(part.drop_columns("source").append_column("priority", priority))
        sizes.append(part.num_rows)
    kinds = [pa.field(name, kind) for name, kind in _KINDS.items()]
    table = pa.concat_tables(parts) if parts else pa.schema(kinds).empty_table()
    return Keys(table.combine_chunks(), np.cumsum(sizes))


@dataclass(frozen=True)
class Texts:
    """Distinct texts: `rows[t]` is the best example with text `t` (ascending), `of_row[n]` the text of row `n`.

    Rows that are out of the search (contaminated) have the text -1.
    """

    rows: np.ndarray
    of_row: np.ndarray


def distinct_texts(keys: Keys, alive: np.ndarray, exact: bool) -> Texts:
    """Group rows by their folded text; `alive` are the rows that take part, ascending."""
    of_row = np.full(len(keys), -1, np.int64)
    if not exact:
        of_row[alive] = np.arange(len(alive))
        return Texts(alive, of_row)
    hashes = keys.table["text_hash"].take(pa.array(alive)).combine_chunks()
    codes = hashes.dictionary_encode().indices.to_numpy()
    counts = np.bincount(codes)
    best = np.full(len(counts), -1, np.int64)
    alone = counts[codes] == 1
    best[codes[alone]] = alive[alone]
    code_of = np.full(len(keys), -1, np.int64)
    code_of[alive] = codes
    order = keys.best_first(alive[~alone])[::-1]
    best[code_of[order]] = order  # the last one written is the best
    rank = np.argsort(best, kind="stable")
    place = np.empty(len(best), np.int64)
    place[rank] = np.arange(len(best))
    of_row[alive] = place[codes]
    return Texts(best[rank], of_row)
