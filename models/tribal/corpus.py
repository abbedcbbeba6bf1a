"""Reads the corpus for NOVA: every example once, with the phases that it stands in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from schemas.errors import InputError

#: Shards of `schemas.tables.CORPUS` by split.
Corpus = Mapping[str, Sequence[Path]]
_COLUMNS = ("example_id", "conversation_id", "phase", "messages", "language")
_BATCH = 256


@dataclass(frozen=True)
class Example:
    """A conversation. `messages` have role, author, intensity, content, trainable."""

    example_id: str
    conversation_id: str
    language: str | None
    messages: Sequence[Mapping[str, Any]]


@dataclass
class Occurrences:
    """How often each example stands in each phase of the corpus, filled while its rows are read."""

    phases: dict[str, Counter[int]] = field(default_factory=dict)


def read_examples(shards: Sequence[Path], found: Occurrences | None = None) -> Iterator[Example]:
    """Every example of the shards once, in their order; `found` is told of each time that it stands there.

    Raises InputError for a shard that is not a Parquet file of the corpus.
    """
    seen = (found or Occurrences()).phases
    for shard in shards:
        for row in _rows(shard):
            phases = seen.get(row["example_id"])
            if phases is None:
                phases = seen[row["example_id"]] = Counter()
                yield Example(row["example_id"], row["conversation_id"], row["language"], row["messages"])
            phases[row["phase"]] += 1


def _rows(shard: Path) -> Iterator[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(shard) as file:
            missing = [name for name in _COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise _unreadable(shard, f"it has no column {missing[0]}")
            for batch in file.iter_batches(batch_size=_BATCH, columns=list(_COLUMNS)):
                yield from batch.to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(shard, type(error).__name__) from None


def _unreadable(shard: Path, reason: str) -> InputError:
    return InputError(
        f"not a Parquet file of the corpus ({reason})", where=str(shard), fix="Build the corpus again."
    )
