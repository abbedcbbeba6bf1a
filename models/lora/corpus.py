"""Reads the corpus for training through `datasets`, with every cache inside a folder of the run."""

from __future__ import annotations

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from models.lora.encoding import EncodingCounts, encode_rows
from schemas.errors import InputError, StageFailed


def load_split(shards: Sequence[Path], cache: Path) -> Any | None:
    """A `datasets.Dataset` with the column `messages`, in shard order; None when there is no row.

    An example that stands in several phases is read in the first of them only.
    Raises InputError for a shard that is not a Parquet file of the corpus.
    """
    from datasets import load_dataset
    from datasets.exceptions import DatasetGenerationError

    filled = [shard for shard in shards if _count_rows(shard)]  # an empty shard would stop `datasets`
    if not filled:
        return None
    files = [glob.escape(str(shard)) for shard in filled]
    try:
        rows = load_dataset(
            "parquet",
            data_files=files,
            split="train",
            columns=["example_id", "phase", "messages"],
            cache_dir=str(cache),
        )
    except (DatasetGenerationError, OSError, ValueError) as error:
        reason = f"cannot read the corpus for training ({type(error).__name__})"
        raise InputError(reason, where=str(filled[0].parent), fix="Build the corpus again.") from None
    return _in_first_phase(rows).select_columns(["messages"])


def _in_first_phase(rows: Any) -> Any:
    """The rows without those whose example an earlier phase has read."""
    first: dict[str, int] = {}
    read = [
        number
        for number, (example, phase) in enumerate(zip(rows["example_id"], rows["phase"], strict=True))
        if first.setdefault(example, phase) == phase
    ]
    return rows if len(read) == len(rows) else rows.select(read)


def texts_of(dataset: Any) -> Iterator[str]:
    """Every message's content, in order; nothing else of a row."""
    for row in dataset:
        for message in row["messages"]:
            yield message["content"] or ""


def encode_split(dataset: Any | None, tokenizer: Any, max_length: int) -> tuple[Any | None, EncodingCounts]:
    """Columns `input_ids` and `labels` for the examples that carry loss; None when there is none."""
    from datasets import Features, List, Value

    counts = EncodingCounts()
    if dataset is None:
        return None, counts
    encoded = dataset.map(
        lambda batch: encode_rows(batch["messages"], tokenizer, max_length, counts),
        batched=True,
        remove_columns=dataset.column_names,
        features=Features({"input_ids": List(Value("int32")), "labels": List(Value("int32"))}),
        load_from_cache_file=False,
        new_fingerprint="encoded",  # else `datasets` would pickle the tokenizer to name its cache file
    )
    return (encoded if len(encoded) else None), counts


def nothing_to_train(counts: EncodingCounts, max_length: int) -> StageFailed:
    """The error for a training set that carries no loss at all, with the reasons counted."""
    reasons = ", ".join(f"{n} {reason}" for reason, n in sorted(counts.set_aside.items()))
    return StageFailed(
        f"nothing to train on: no example has a trainable reply within {max_length} tokens ({reasons})",
        fix="Raise max_length in the model preset, or look at what the filter masked.",
    )


def _count_rows(shard: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows: int = pq.read_metadata(shard).num_rows
    except (OSError, pa.ArrowException) as error:
        reason = f"not a Parquet file of the corpus ({type(error).__name__})"
        raise InputError(reason, where=str(shard), fix="Build the corpus again.") from None
    return rows
