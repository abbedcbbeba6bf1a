"""What a training reads of a corpus with a curriculum: every example in the first phase that has it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from models.lora.corpus import load_split
from models.quiet import quiet_datasets
from schemas.tables import CORPUS


def test_an_example_of_several_phases_is_read_in_the_first(tmp_path: Path) -> None:
    places = {1: ["a", "b", "b"], 2: ["c", "b"], 3: ["c", "d", "a"]}  # b is repeated in its first phase
    said = {"role": "user", "author": None, "intensity": None, "trainable": False}
    shards = []
    for phase, examples in places.items():
        rows = [
            {
                "example_id": example, "conversation_id": example, "source": "x", "phase": phase,
                "messages": [said | {"content": example}],
            }
            for example in examples
        ]  # fmt: skip
        shards.append(tmp_path / f"train-phase{phase}-00000-of-00001.parquet")
        pq.write_table(pa.Table.from_pylist(rows, schema=CORPUS), shards[-1])
    with quiet_datasets():
        found = load_split(shards, tmp_path / "cache")
    assert found is not None
    assert found.column_names == ["messages"]
    assert [row["messages"][0]["content"] for row in found] == ["a", "b", "b", "c", "d"]
