"""The dedup stage on a corpus with planted copies: its cost, and what it finds.

    python -m benchmarks.dedup --rows 200000 [--data DIR] [--seed 1]

Prints one JSON object on its last line: rows, cpu_s, rows_per_cpu_s, rss_mb (of the process tree that runs the stage
as a build does: examples read from the store, clusters written, manifest; start-up included, but for Prefect and the
expectations, which cost the same at any size), precision (of all pairs within the clusters), recall_exact and
recall_near (copies that share a cluster with their parent), hard_merged (hard negatives that do). DIR holds Parquet
with id, text, kind, parent, rate; else benchmarks.synthetic makes the corpus. Neither the generator nor the making of
examples from texts is counted.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.synthetic import generate
from schemas.ids import hash_fields
from schemas.parts import Part
from schemas.settings import AssembleSettings, DedupSettings
from schemas.summary import ValidationResult
from schemas.tables import EXAMPLES
from storage.datasets import Dataset, find_dataset
from storage.materialize import materialize
from storage.stages import Given, Stage, Unit, corpus_unit
from storage.store import Store
from tasks.assembly.folding import fold

#: Examples of a part, about as many as assemble writes to one.
PART_ROWS = 20_000
_QUESTION_WORDS = 3
_COLUMNS = ("id", "text", "kind", "parent")


def main() -> None:
    """Make the corpus, measure the stage in a process of its own, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument(
        "--data", type=Path, help="folder with Parquet files of a corpus; its first --rows rows"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", action="append", default=[], help="a setting of dedup, like threshold=0.7")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    values = json.dumps(dict(json_pair(item) for item in given.set))
    if given.measure:
        run_stage(Store(given.measure), DedupSettings.model_validate_json(values))
        return
    with tempfile.TemporaryDirectory() as folder:
        data = given.data
        if data is None:
            data = Path(folder) / "corpus"
            generate(given.rows, given.seed, data)
        store = Path(folder) / "store"
        truth = make_examples(data, given.rows, Store(str(store)))
        cost = measure([sys.executable, "-m", "benchmarks.dedup", "--measure", str(store), *flags(given.set)])
        found = judge(truth, clusters_in(Store(str(store))))
    print(json.dumps(
        {"rows": len(truth), "cpu_s": cost["cpu_s"], "rows_per_cpu_s": round(len(truth) / cost["cpu_s"]),
         "rss_mb": cost["rss_mb"], **found}
    ))  # fmt: skip


def json_pair(item: str) -> tuple[str, Any]:
    """A setting from the command line."""
    name, _, value = item.partition("=")
    return name, json.loads(value)


def flags(settings: list[str]) -> list[str]:
    """The settings again, as arguments."""
    return [part for item in settings for part in ("--set", item)]


def make_examples(data: Path, rows: int, store: Store) -> pd.DataFrame:
    """Write a corpus into the store as assemble would have; returns id, kind and parent per row."""
    units = [
        Unit((f"{data.name}:{number}",), Given(table)) for number, table in enumerate(read_blocks(data, rows))
    ]
    stage = Stage("assemble", 0, "row", "messages", examples_of_texts)
    materialize(store, stage, AssembleSettings(), {"corpus": str(data), "rows": rows}, units, _Unchecked())
    columns = ["id", "kind", "parent"]
    truth = pa.concat_tables(unit.payload.open(store).select(columns) for unit in units)
    frame: pd.DataFrame = truth.to_pandas()
    if frame["id"].duplicated().any():
        raise SystemExit(f"{data} has ids that stand twice")
    return frame


def read_blocks(data: Path, rows: int) -> Iterator[pa.Table]:
    """The corpus in tables of a part's rows."""
    left = rows
    files = sorted(data.rglob("*.parquet"))
    if not files:
        raise SystemExit(f"there is no Parquet file in {data}")
    for file in files:
        opened = pq.ParquetFile(file)
        if missing := [name for name in _COLUMNS if name not in opened.schema_arrow.names]:
            raise SystemExit(f"{file} has no column {', '.join(missing)}")
        for batch in opened.iter_batches(PART_ROWS, columns=list(_COLUMNS)):
            table = as_text(pa.Table.from_batches([batch.slice(0, left)]))
            if table["id"].null_count or table["text"].null_count:
                raise SystemExit(f"{file} has rows without id or text")
            left -= table.num_rows
            if table.num_rows:
                yield table


def as_text(table: pa.Table) -> pa.Table:
    """All columns as strings: ids may be numbers, and their parents too (with nulls, pandas makes floats of them)."""
    columns = [
        column.cast(pa.int64()) if pa.types.is_floating(column.type) else column for column in table.columns
    ]
    return pa.table([column.cast(pa.string()) for column in columns], names=table.column_names)


def examples_of_texts(texts: pa.Table, settings: AssembleSettings) -> Iterator[Part]:
    """One example per text: its first words are the question, the rest is the reply."""
    rows = []
    for name, text in zip(texts["id"].to_pylist(), texts["text"].to_pylist(), strict=True):
        words = text.split(None, _QUESTION_WORDS)
        question, reply = " ".join(words[:_QUESTION_WORDS]), "".join(words[_QUESTION_WORDS:])
        example = hash_fields("example", name)
        rows.append({
            "example_id": example, "conversation_id": example, "source": "synthetic",
            "messages": [line("user", question), line("assistant", reply)],
            "trainable": 1, "chars": len(question) + len(reply), "repairs": [],
            "text_hash": hash_fields("user", fold(question), "assistant", fold(reply)),
            "text_bytes": len(question.encode()) + len(reply.encode()),
        })  # fmt: skip
    yield Part({"examples": pa.Table.from_pylist(rows, schema=EXAMPLES)}, {"trained": len(rows)})


def line(role: str, content: str) -> dict[str, Any]:
    """A message of an example."""
    return {"role": role, "author": None, "intensity": None, "content": content, "trainable": role != "user"}


class _Unchecked:
    """No expectations: what is made here is the benchmark's own."""

    def check_part(self, tables: Any) -> ValidationResult:
        """Nothing is asked."""
        return ValidationResult(stage="assemble", success=True, results=[])

    def check_summary(self, summary: Any) -> ValidationResult:
        """Nothing is asked."""
        return ValidationResult(stage="assemble", success=True, results=[])


def run_stage(store: Store, settings: DedupSettings) -> None:
    """The dedup stage as a build runs it: one unit, its parts written and published."""
    from tasks.dedup import find_duplicates

    stage = Stage("dedup", 0, "corpus", "examples", find_duplicates)
    materialize(store, stage, settings, {}, corpus_unit(examples=dataset(store, "assemble")), _Unchecked())


def dataset(store: Store, stage: str) -> Dataset:
    """The one dataset of a stage in the store."""
    (name,) = (name for name in store.names(f"datasets/{stage}") if name not in ("parts", "units"))
    found = find_dataset(store, stage, name)
    assert found is not None
    return found


def clusters_in(store: Store) -> pa.Table:
    """The clusters that the stage published."""
    return dataset(store, "dedup").column("clusters", ["example_id", "cluster_id"])


def measure(command: list[str]) -> dict[str, float]:
    """CPU-seconds and peak resident memory of a command with all its child processes. Raises on failure."""
    import psutil

    before = psutil.Process().cpu_times()
    process = subprocess.Popen(command)
    peak = 0
    while process.poll() is None:
        peak = max(peak, _resident(psutil.Process(process.pid)))
        time.sleep(0.05)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu_s": round(cpu, 2), "rss_mb": round(peak / (1 << 20))}


def _resident(process: Any) -> int:
    import psutil

    total = 0
    try:
        for member in (process, *process.children(recursive=True)):
            total += member.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total


def judge(truth: pd.DataFrame, clusters: pa.Table) -> dict[str, float | None]:
    """Figures of merit from the planted kinds and parents; no recall (null) of a kind that is not there."""
    named = pa.array([hash_fields("example", name) for name in truth["id"]])
    place = pc.index_in(named, clusters["example_id"].combine_chunks()).to_pandas()
    number = clusters["cluster_id"].combine_chunks().dictionary_encode().indices.to_pandas()
    cluster = place.map(number).fillna(-1).to_numpy().astype(np.int64)
    row = pd.Series(np.arange(len(truth)), index=truth["id"])
    parent = row.reindex(truth["parent"]).fillna(-1).to_numpy().astype(np.int64)
    parent[parent == np.arange(len(truth))] = -1  # who is its own parent has none
    kind = truth["kind"].to_numpy()
    copy = np.isin(kind, ["exact", "near"]) & (parent >= 0)
    # A parent beyond the rows that were read is still what its copies have in common.
    root = truth["parent"].where(np.isin(kind, ["exact", "near"]), truth["id"]).to_numpy()
    inside = cluster >= 0
    together = _pairs(pd.Series(cluster[inside]).value_counts())
    true = _pairs(pd.DataFrame({"cluster": cluster[inside], "root": root[inside]}).value_counts())
    with_parent = inside & (parent >= 0) & (cluster == cluster[parent])
    return {
        "precision": round(true / together, 6) if together else 1.0,
        "recall_exact": _share(with_parent[copy & (kind == "exact")]),
        "recall_near": _share(with_parent[copy & (kind == "near")]),
        "hard_merged": int(with_parent[~copy].sum()),
    }


def _share(found: np.ndarray) -> float | None:
    return round(float(found.mean()), 5) if len(found) else None


def _pairs(sizes: pd.Series) -> int:
    return int((sizes * (sizes - 1) // 2).sum())


if __name__ == "__main__":
    main()
