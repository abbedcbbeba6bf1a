"""The corpus: shards in the order of the mixture, cut by bytes, readable by `datasets`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import StageFailed
from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import MixSettings
from schemas.tables import CORPUS, MIXTURE, SPLITS
from tasks.mixing import publish_corpus
from tests.schemas.rows import MemoryDataset, an_id, table

TEXT = 20_000  # bytes per example: some three fit into the smallest shard


def example(number: int, source: str = "claude", size: int = TEXT) -> dict[str, Any]:
    question, answer = f"Întrebarea {number}?", "ă" * (size // 2)
    messages = [
        {"role": role, "author": None, "intensity": None, "content": text, "trainable": role == "assistant"}
        for role, text in (("user", question), ("assistant", answer))
    ]
    return {
        "example_id": an_id("e", number),
        "conversation_id": an_id("c", number),
        "source": source,
        "messages": messages,
        "trainable": 1,
        "chars": len(question) + len(answer),
        "text_bytes": len((question + answer).encode()),
        "language": "ro",
    }


def mix(
    rows: Sequence[dict[str, Any]],
    settings: MixSettings,
    parts: int = 1,
    twins: Sequence[dict[str, Any]] = (),
) -> list[Part]:
    size = max(1, -(-len(rows) // parts))
    examples = MemoryDataset(
        [table("examples", *rows[n : n + size]) for n in range(0, len(rows), size)] or [table("examples")]
    )
    clusters = MemoryDataset([table("clusters", *twins)])
    return list(publish_corpus({"examples": examples, "clusters": clusters}, settings))


def as_bytes(parts: Sequence[Part]) -> list[bytes]:
    written = []
    for part in parts:
        for name, data in part.tables.items():
            file = io.BytesIO()
            pq.write_table(data, file)
            written.append(name.encode() + file.getvalue())
    return written


def tally_of(parts: Sequence[Part]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for key, count in part.tally.items():
            total[key] = total.get(key, 0) + count
        for name, data in part.tables.items():
            total[f"rows:{name}"] = total.get(f"rows:{name}", 0) + data.num_rows
    return total


SMALL = MixSettings(validation=0.2, test=0.2, shard_bytes=1 << 16)
ROWS = [example(number) for number in range(40)]


def test_same_seed_same_bytes_however_the_examples_lie() -> None:
    first = as_bytes(mix(ROWS, SMALL))
    assert as_bytes(mix(ROWS, SMALL)) == first
    assert as_bytes(mix(list(reversed(ROWS)), SMALL, parts=3)) == first
    assert as_bytes(mix(ROWS, SMALL.model_copy(update={"seed": 43}))) != first


def test_shards_are_in_the_order_of_the_mixture() -> None:
    mixture, *shards = mix(ROWS, SMALL, parts=4)
    listed = mixture.tables["mixture"].to_pandas()
    for split in SPLITS:
        written = [
            i
            for part in shards
            for i in part.tables.get(split, CORPUS.empty_table())["example_id"].to_pylist()
        ]
        rows = listed[listed["split"] == split].sort_values("order")
        assert written == list(rows["example_id"])
        assert list(rows["order"]) == list(range(len(written)))
        assert written, "every split has a row in this corpus"


def test_shards_hold_the_examples_as_they_are() -> None:
    mixture, *shards = mix(ROWS, SMALL, parts=4)
    assert mixture.tables["mixture"].schema.equals(MIXTURE)
    by_id = {row["example_id"]: row for row in ROWS}
    for part in shards:
        (data,) = part.tables.values()
        assert data.schema.equals(CORPUS)
        for row in data.to_pylist():
            known = by_id[row["example_id"]]
            assert row["messages"] == known["messages"]
            assert (row["source"], row["phase"], row["language"]) == ("claude", 1, "ro")


def test_shards_are_cut_by_bytes() -> None:
    _, *shards = mix(ROWS, SMALL)
    names = [name for part in shards for name in part.tables]
    assert names.count("train") > 3
    assert names == sorted(names, key=SPLITS.index)
    for split in SPLITS:
        sizes = [part.tables[split].num_rows for part in shards if split in part.tables]
        assert all(size in (3, 4) for size in sizes[:-1])
        assert 1 <= sizes[-1] <= 4
    _, *whole = mix(ROWS, SMALL.model_copy(update={"shard_bytes": 1 << 30}))
    assert [name for part in whole for name in part.tables] == list(SPLITS)


def test_an_example_larger_than_a_shard_has_one_of_its_own() -> None:
    rows = [example(number, size=200_000) for number in range(3)]
    _, *shards = mix(rows, MixSettings(validation=0, test=0, shard_bytes=1 << 16))
    assert [part.tables["train"].num_rows for part in shards] == [1, 1, 1]


def test_twins_stay_out_and_the_ledger_balances() -> None:
    removed, keeper = ROWS[1]["example_id"], ROWS[0]["example_id"]
    twins = [{"example_id": e, "keeper_id": keeper, "cluster_id": "x"} for e in (removed, keeper)]
    parts = mix(ROWS, SMALL.model_copy(update={"total": 30}), twins=twins)
    tally = tally_of(parts)
    ids = parts[0].tables["mixture"]["example_id"].to_pylist()
    assert removed not in ids
    assert (tally["rows:mixture"], tally["set_aside:over_total"]) == (30, 9)
    assert draw_ledger("mix", tally, 39).unaccounted == 0
    figures = ("straddling", "shares_missed", "unlisted", "foreign_chars")
    assert [tally[name] for name in figures] == [0, 0, 0, 0]


def test_text_that_is_not_the_examples_own_is_counted() -> None:
    rows = [{**row, "chars": row["chars"] - 2} for row in ROWS[:5]]
    assert tally_of(mix(rows, MixSettings(validation=0, test=0)))["foreign_chars"] == 10


def test_a_missing_source_is_refused_before_anything_is_made() -> None:
    rows = [example(1), example(2, "chatgpt")]
    with pytest.raises(StageFailed, match=r"'gemini'.*It has: chatgpt \(1\), claude \(1\)"):
        mix(rows, MixSettings(shares={"gemini": 1}))


def test_datasets_loads_the_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    mixture, *shards = mix(ROWS, SMALL)
    files: dict[str, list[str]] = {}
    for number, part in enumerate(shards):
        for split, data in part.tables.items():
            path = tmp_path / f"{split}-{number:05d}.parquet"
            pq.write_table(data, path)
            files.setdefault(split, []).append(str(path))
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
    listed = mixture.tables["mixture"].to_pandas()
    assert set(loaded) == set(SPLITS)
    for split in SPLITS:
        rows = listed[listed["split"] == split].sort_values("order")
        assert loaded[split]["example_id"][:] == list(rows["example_id"])
    by_id = {row["example_id"]: row for row in ROWS}
    first = loaded["train"][0]
    assert first["messages"] == by_id[first["example_id"]]["messages"]
    assert first["category"] is None


def test_an_empty_corpus_has_a_mixture_and_no_shard() -> None:
    (only,) = mix([], SMALL)
    assert only.tables["mixture"].equals(MIXTURE.empty_table())
