"""Reads the corpus for training through `datasets`, with every cache inside a folder of the run."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from schemas.errors import InputError

_COLUMNS = ["example_id", "phase", "messages"]


def load_split(shards: Sequence[Path], cache: Path) -> Any | None:
    """A `datasets.Dataset` with example_id, phase and messages, in shard order; None when there is no row.

    Raises InputError for a shard that is not a Parquet file of the corpus.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    filled = [shard for shard in shards if _count_rows(shard)]  # an empty shard would stop `datasets`
    if not filled:
        return None
    files = [glob.escape(str(shard)) for shard in filled]
    try:
        return load_dataset(
            "parquet", data_files=files, split="train", columns=_COLUMNS, cache_dir=str(cache)
        )
    except (DatasetGenerationError, OSError, ValueError) as error:
        reason = f"cannot read the corpus for training ({type(error).__name__})"
        raise InputError(reason, where=str(filled[0].parent), fix="Build the corpus again.") from None


def texts_of(dataset: Any) -> Iterator[str]:
    """Every message's content, in order; nothing else of a row."""
    for row in dataset:
        for message in row["messages"]:
            yield message["content"] or ""


def _count_rows(shard: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: int = pq.read_metadata(shard).num_rows
    except (OSError, pa.ArrowException) as error:
        reason = f"not a Parquet file of the corpus ({type(error).__name__})"
        raise InputError(reason, where=str(shard), fix="Build the corpus again.") from None
    return rows
