"""Lineage: every example that training read or measured itself on, with what was learned of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreError
from schemas.settings.loading import load_lora_preset
from tasks.lineage import LINEAGE, read_origin, write_lineage
from tasks.trained import _told_preset, base_name
from tasks.training_page import left_aside
from tests.schemas.rows import MemoryDataset, an_id, table


class Corpus:
    manifest = SimpleNamespace(fingerprint="f" * 32)

    def __init__(self, **splits: list[tuple[int, int]]) -> None:
        self._splits = {
            split: MemoryDataset([
                table(split, *({"example_id": an_id(n), "conversation_id": an_id("c", n), "source": "claude",
                                "phase": phase} for n, phase in rows))
            ])
            for split, rows in splits.items()
        }  # fmt: skip

    def scan(self, split: str, columns: list[str]) -> Any:
        return self._splits[split].scan(split, columns)


def seen(*rows: tuple[int, int, int]) -> pa.Table:
    return pa.table({
        "example_id": [an_id(n) for n, _, _ in rows], "phase": pa.array([p for _, p, _ in rows], pa.int32()),
        "windows": [w for _, _, w in rows], "tokens": [100 * w for _, _, w in rows],
        "trained_tokens": [10 * w for _, _, w in rows],
    })  # fmt: skip


def lineage(tmp_path: Path, corpus: Any, found: pa.Table, by_phase: bool) -> pa.Table:
    run: Any = SimpleNamespace(record=SimpleNamespace(build="20261121-1-aa"))
    write_lineage(corpus, run, tmp_path / LINEAGE, found, by_phase)
    return pq.read_table(tmp_path / LINEAGE)


def test_every_example_that_was_read_with_what_was_learned_of_it(tmp_path: Path) -> None:
    corpus = Corpus(train=[(3, 1), (1, 1), (2, 1)], validation=[(9, 1)])
    found = lineage(tmp_path, corpus, seen((1, 1, 2), (3, 1, 1)), by_phase=False)
    assert found["example_id"].to_pylist() == [an_id(n) for n in (3, 1, 9)]  # 2 was not read
    assert found["split"].to_pylist() == ["train"] * 2 + ["validation"]
    assert found["windows"].to_pylist() == [1, 2, None]
    assert found["trained_tokens"].to_pylist() == [10, 20, None]
    assert read_origin(tmp_path) == ("f" * 32, "20261121-1-aa")


def test_an_example_in_two_phases(tmp_path: Path) -> None:
    corpus = Corpus(train=[(1, 1), (1, 2), (2, 2)], validation=[])
    found = lineage(tmp_path, corpus, seen((1, 1, 3), (1, 2, 1), (2, 2, 1)), by_phase=True)
    assert found["windows"].to_pylist() == [3, 1, 1]
    assert found["phase"].to_pylist() == [1, 2, 2]


def test_without_phases_in_the_preset_every_example_stands_once(tmp_path: Path) -> None:
    corpus = Corpus(train=[(1, 1), (2, 1), (1, 2), (2, 3)], validation=[(9, 1), (9, 2)])
    found = lineage(tmp_path, corpus, seen((1, 1, 3), (2, 1, 1)), by_phase=False)
    assert found["example_id"].to_pylist() == [an_id(n) for n in (1, 2, 9)]
    assert found["windows"].to_pylist() == [3, 1, None]


def test_a_lineage_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="lineage is missing"):
        read_origin(tmp_path)


def test_no_path_of_this_machine_is_told_as_a_base(tmp_path: Path) -> None:
    local = load_lora_preset("llama-3-8b", {"base": {"name": str(tmp_path / "my-model")}})
    assert base_name(local, {"base": "x"}) == "my-model"
    assert _told_preset(local, {"base": "x"})["base"]["name"] == "my-model"
    assert base_name(load_lora_preset("llama-3-8b"), {"base": "x"}) == "meta-llama/Meta-Llama-3-8B-Instruct"
    assert base_name(load_lora_preset("demo"), {"base": "demo: tiny"}) == "demo: tiny"


def test_nothing_that_was_left_out_is_silent() -> None:
    account = {
        "examples_set_aside": {"too_long": 2, "nothing_to_train": 0}, "replies_too_long": 3, "replies_left_out": 0,
        "phases": [{"windows_not_reached": 4}, {"windows_not_reached": 1}],
    }  # fmt: skip
    assert left_aside(account) == {
        "examples: too_long": 2, "replies longer than a window": 3, "windows that the steps did not reach": 5,
    }  # fmt: skip
