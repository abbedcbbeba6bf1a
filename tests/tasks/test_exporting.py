"""Exports: the corpus in the forms that other trainers read, whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from schemas.errors import StoreError, UsageError, VatraError
from schemas.settings import MixSettings
from schemas.tables import SPLITS
from storage.datasets import Dataset
from storage.materialize import materialize
from storage.stages import Given, Stage, Unit
from storage.store import Store
from tasks.checks import StageSuite
from tasks.exporting import export_corpus
from tasks.mixing import publish_corpus
from tests.schemas.rows import MemoryDataset, an_id, table

SIZE = 12


def line(role: str, content: str, trainable: bool = False) -> dict[str, Any]:
    return {"role": role, "author": None, "intensity": None, "content": content, "trainable": trainable}


def example(number: int) -> dict[str, Any]:
    messages = [
        line("system", "Be kind."),
        line("user", f"Întrebarea {number} 😀"),
        line("assistant", f"Răspunsul {number}\nîn două rânduri", True),
        line("user", "Și?"),
        line("assistant", f"masked {number}"),
    ]
    chars = sum(len(message["content"]) for message in messages)
    return {
        "example_id": an_id("e", number), "conversation_id": an_id("c", number), "source": "claude",
        "messages": messages, "trainable": 1, "chars": chars, "text_bytes": 10_000,
    }  # fmt: skip


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A real corpus, by the mix stage: all three splits, two shards of the first."""
    examples = MemoryDataset([table("examples", *(example(n) for n in range(SIZE)))])
    unit = Unit(("all",), Given({"examples": examples, "clusters": MemoryDataset([table("clusters")])}))
    settings = MixSettings(validation=0.2, test=0.2, shard_bytes=1 << 16, seed=3)
    store = Store(str(tmp_path_factory.mktemp("store")))
    stage = Stage("mix", 1, "corpus", "examples", publish_corpus)
    made = materialize(store, stage, settings, {}, [unit], StageSuite("mix", SIZE)).dataset
    assert all(made.rows(split) for split in SPLITS)
    assert len(made.files("train")) == 2
    return made


def in_order(corpus: Dataset, *splits: str) -> list[dict[str, Any]]:
    return [row for split in splits for part in corpus.scan(split) for row in part.to_pylist()]


def test_jsonl_holds_pairs_in_the_order_of_the_corpus(corpus: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "new/folder/train.jsonl"
    assert export_corpus(corpus, "jsonl", out).rows == SIZE
    text = out.read_text("utf-8")
    assert text.endswith("}\n")
    assert "Întrebarea" in text
    rows = [json.loads(row) for row in text.splitlines()]
    assert [row["conversation_id"] for row in rows] == [
        row["conversation_id"] for row in in_order(corpus, *SPLITS)
    ]
    assert all(set(row) == {"instruction", "response", "conversation_id"} for row in rows)
    number = rows[0]["instruction"].split()[1]
    assert rows[0]["instruction"] == f"Întrebarea {number} 😀"
    assert rows[0]["response"] == f"Răspunsul {number}\nîn două rânduri"


def test_json_is_one_list_of_the_same(corpus: Dataset, tmp_path: Path) -> None:
    export_corpus(corpus, "jsonl", tmp_path / "a.jsonl", ["train"])
    rows = export_corpus(corpus, "json", tmp_path / "a.json", ["train"]).rows
    listed = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert listed == [json.loads(row) for row in (tmp_path / "a.jsonl").read_text("utf-8").splitlines()]
    assert len(listed) == rows == corpus.rows("train")


def test_messages_hold_whole_conversations_without_metadata(corpus: Dataset, tmp_path: Path) -> None:
    assert export_corpus(corpus, "messages", tmp_path / "m.jsonl", ["test"]).rows == corpus.rows("test")
    rows = [json.loads(row) for row in (tmp_path / "m.jsonl").read_text("utf-8").splitlines()]
    wanted = [
        {
            "messages": [
                {"role": m["role"], "content": m["content"]}
                | ({"weight": 0} if m["role"] == "assistant" and not m["trainable"] else {})
                for m in row["messages"]
            ]
        }
        for row in in_order(corpus, "test")
    ]
    assert rows == wanted


def test_a_masked_reply_carries_weight_0(corpus: Dataset, tmp_path: Path) -> None:
    export_corpus(corpus, "messages", tmp_path / "m.jsonl")
    lines = [json.loads(row) for row in (tmp_path / "m.jsonl").read_text("utf-8").splitlines()]
    masked = sum(message.get("weight") == 0 for line in lines for message in line["messages"])
    rows = [row for split in SPLITS for row in in_order(corpus, split)]
    assert masked == sum(m["role"] == "assistant" and not m["trainable"] for r in rows for m in r["messages"])
    assert masked > 0


def test_parquet_is_a_folder_of_the_corpus_own_shards(corpus: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    assert export_corpus(corpus, "parquet", out, ["train", "test"]).rows == corpus.rows(
        "train"
    ) + corpus.rows("test")
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "data"]
    names = sorted(path.name for path in (out / "data").iterdir())
    assert names == ["test-00000.parquet", "train-00000.parquet", "train-00001.parquet"]
    for number, file in enumerate(corpus.files("train")):
        assert (out / f"data/train-{number:05d}.parquet").read_bytes() == corpus.store.read(file.path)
    assert pq.read_table(out / "data/test-00000.parquet").to_pylist() == in_order(corpus, "test")


@pytest.mark.parametrize("form", ["jsonl", "messages", "json", "parquet"])
def test_no_splits_give_an_empty_export(corpus: Dataset, tmp_path: Path, form: str) -> None:
    out = tmp_path / "out"
    assert export_corpus(corpus, form, out, []).rows == 0
    if form == "parquet":
        assert [path.name for path in out.iterdir()] == ["README.md"]
    else:
        assert out.read_text().split() == (["[", "]"] if form == "json" else [])


@pytest.mark.parametrize("form", ["jsonl", "messages", "json", "parquet"])
def test_a_folder_that_is_not_empty_is_refused_and_left_alone(
    corpus: Dataset, tmp_path: Path, form: str
) -> None:
    out = tmp_path / "mine"
    out.mkdir()
    (out / "notes.txt").write_text("keep me")
    with pytest.raises(UsageError, match=r"not empty|a folder has its name") as caught:
        export_corpus(corpus, form, out, overwrite=True)
    assert caught.value.where == str(out)
    assert [path.relative_to(tmp_path).as_posix() for path in sorted(tmp_path.rglob("*"))] == [
        "mine",
        "mine/notes.txt",
    ]
    assert (out / "notes.txt").read_text() == "keep me"


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_what_stands_there_is_not_replaced_unasked(corpus: Dataset, tmp_path: Path, form: str) -> None:
    out = tmp_path / "mine.jsonl"
    out.write_text("keep me")
    with pytest.raises(UsageError, match="stands already"):
        export_corpus(corpus, form, out)
    assert out.read_text() == "keep me"
    if form == "parquet":
        with pytest.raises(UsageError, match="stands already"):
            export_corpus(corpus, form, out, overwrite=True)
    else:
        assert export_corpus(corpus, form, out, overwrite=True).rows == SIZE
        assert len(out.read_text("utf-8").splitlines()) == SIZE
    assert [path.name for path in tmp_path.iterdir()] == ["mine.jsonl"]


def test_what_comes_meanwhile_is_not_replaced(
    corpus: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "mine.jsonl"

    def another_writes(*given: Any) -> int:
        given[1].write_text("ours")
        out.write_text("theirs")
        return 1

    monkeypatch.setattr("tasks.exporting._write_lines", another_writes)
    with pytest.raises(StoreError, match="file exists"):
        export_corpus(corpus, "jsonl", out)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("kind", ["fifo", "link", "dangling link", "device"])
def test_only_ordinary_files_are_replaced(
    corpus: Dataset, tmp_path: Path, kind: str, overwrite: bool
) -> None:
    out, target = tmp_path / "out", tmp_path / "target"
    if kind == "fifo":
        os.mkfifo(out)
    elif kind == "device":
        out = Path("/dev/null")
    else:
        out.symlink_to(target)
        if kind == "link":
            target.write_text("keep me")
    before = out.lstat()
    with pytest.raises(UsageError, match="no ordinary file"):
        export_corpus(corpus, "jsonl", out, overwrite=overwrite)
    assert (out.lstat().st_mode, out.lstat().st_ino) == (before.st_mode, before.st_ino)
    assert not target.exists() or target.read_text() == "keep me"


@pytest.mark.parametrize("name", ["", ".", "/", ".."])
def test_a_name_is_needed(corpus: Dataset, name: str) -> None:
    with pytest.raises(UsageError):
        export_corpus(corpus, "jsonl", Path(name))


def test_a_damaged_corpus_is_not_handed_on(corpus: Dataset, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    for file in (file for split in SPLITS for file in corpus.files(split)):
        store.put_if_absent(file.path, corpus.store.read(file.path)[:-1] + b"?")
    for form in ("jsonl", "parquet"):
        with pytest.raises(StoreError, match=r"damaged|missing"):
            export_corpus(Dataset(store, corpus.manifest), form, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_an_empty_folder_takes_a_parquet_export(corpus: Dataset, tmp_path: Path) -> None:
    export_corpus(corpus, "parquet", tmp_path)
    assert len(list(tmp_path.glob("data/*.parquet"))) == 4


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_file_in_the_way_of_the_folder_is_a_clear_error(corpus: Dataset, tmp_path: Path, form: str) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError, match="cannot write the export"):
        export_corpus(corpus, form, tmp_path / "file" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("form", ["jsonl", "json", "messages", "parquet"])
def test_a_corpus_that_breaks_off_leaves_nothing_half_written(
    corpus: Dataset, tmp_path: Path, form: str
) -> None:
    """A copy of the store in which the last shard is gone, so that the export fails after its first rows."""
    store = Store(str(tmp_path / "store"))
    files = [file for split in SPLITS for file in corpus.files(split)]
    for file in files[:-1]:
        store.put_if_absent(file.path, corpus.store.read(file.path))
    out = tmp_path / "out/export"
    with pytest.raises(VatraError):
        export_corpus(Dataset(store, corpus.manifest), form, out)
    assert list((tmp_path / "out").iterdir()) == []
