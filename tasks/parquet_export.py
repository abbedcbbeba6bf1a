"""The corpus as a folder of Parquet files with a dataset card, for the Hugging Face hub, pandas and DuckDB.

`data/` holds each example once. Where phases read examples more than once, `phase-<n>/` holds what each of them reads.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.manifest import BuildRecord
from storage.datasets import Dataset, read_table, verify
from tasks.corpus_shards import CorpusShard, find_shards
from tasks.describing import describe
from tasks.shaping import write_card

#: Where the card tells that each example stands once.
DATA = "data"


@dataclass(frozen=True)
class ParquetExport:
    """Distinct examples, the rows of `data/`, and the rows of each phase that has a folder."""

    examples: int
    rows: int
    phases: dict[int, int]


def write_parquet(
    corpus: Dataset, folder: Path, splits: Sequence[str], phase: int | None, record: BuildRecord | None
) -> ParquetExport:
    """Write the folder. One `phase` alone is written as training reads it, repeats and all. Raises StoreError."""
    shards = find_shards(corpus, splits, phase)
    facts = describe(corpus, shards, phase is not None, record)
    folder.mkdir()
    written = _write(corpus, folder / DATA, shards, once=phase is None)
    for served in facts.folders:
        _write(corpus, folder / f"phase-{served}", [shard for shard in shards if shard.phase == served])
    (folder / "README.md").write_text(write_card(facts), "utf-8")
    phases = {served: facts.phases[served].rows for served in facts.folders}
    return ParquetExport(facts.examples, written, phases)


def _write(corpus: Dataset, folder: Path, shards: Iterable[CorpusShard], *, once: bool = False) -> int:
    """The shards under the names `<split>-<number>.parquet`, byte by byte where all their rows are wanted."""
    numbers: Counter[str] = Counter()
    rows = 0
    for shard in shards:
        if once and not shard.first.any():
            continue
        folder.mkdir(exist_ok=True)
        path = folder / f"{shard.split}-{numbers[shard.split]:05d}.parquet"
        numbers[shard.split] += 1
        if once and not shard.first.all():
            table = read_table(corpus.store, shard.file, shard.split).filter(pa.array(shard.first))
            pq.write_table(table, path, compression="zstd", row_group_size=16_384)
            rows += table.num_rows
            continue
        verify(corpus.store, shard.file)
        with corpus.store.open(shard.file.path) as source, path.open("wb") as sink:
            shutil.copyfileobj(source, sink, 1 << 20)
        rows += shard.file.rows
    return rows
