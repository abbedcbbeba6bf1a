"""Exports of a corpus whose examples serve in several phases; and the folder with its card, as others read it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pytest
import yaml
from huggingface_hub import DatasetCard

from schemas.errors import StoreError, UsageError
from schemas.manifest import BuildRecord
from schemas.parts import Part
from schemas.settings import BuildSettings, MixSettings
from schemas.summary import ValidationResult
from schemas.tables import CORPUS
from storage.datasets import Dataset
from storage.materialize import materialize
from storage.stages import Given, Stage, Unit
from storage.store import Store
from tasks.exporting import FORMATS, export_corpus
from tests.schemas.rows import an_id

SECRET = "numai între noi"
#: (phase, split, numbers of the examples), shard by shard; 3 and 4 serve in both phases.
SHARDS = [
    (1, "train", [1, 2, 3]), (1, "train", [4]), (2, "train", [3, 5, 4]), (1, "validation", [6]), (2, "test", [7, 8]),
]  # fmt: skip


def row(phase: int, number: int) -> dict[str, Any]:
    turns = [("user", f"{SECRET} {number}", False), ("assistant", f"da {number}", True)]
    return {
        "example_id": an_id("e", number), "conversation_id": an_id("c", number), "phase": phase,
        "source": "jurnal|1" if number % 2 else "claude", "category": "creative" if number < 5 else None,
        "language": "ro",
        "messages": [
            {"role": role, "author": None, "intensity": None, "content": text, "trainable": learned}
            for role, text, learned in turns
        ],
    }  # fmt: skip


class Content:
    """Expects nothing."""

    def check_part(self, tables: Any) -> ValidationResult:
        return ValidationResult(stage="mix", success=True, results=[])

    def check_summary(self, summary: Any) -> ValidationResult:
        return ValidationResult(stage="mix", success=True, results=[])


def shards(given: list[tuple[int, str, list[int]]], settings: MixSettings) -> Iterator[Part]:
    for phase, split, numbers in given:
        rows = [row(phase, number) for number in numbers]
        yield Part({split: pa.Table.from_pylist(rows, schema=CORPUS)}, {})


def make(store: Path, given: list[tuple[int, str, list[int]]]) -> Dataset:
    stage = Stage("mix", 1, "corpus", "examples", shards)
    unit = Unit(("all",), Given(given))
    return materialize(
        Store(str(store)), stage, MixSettings(), {"shards": str(given)}, [unit], Content()
    ).dataset


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return make(tmp_path_factory.mktemp("store"), SHARDS)


def record(corpus: Dataset, **sources: dict[str, str]) -> BuildRecord:
    settings = BuildSettings().model_dump(mode="json")
    settings["blacklist"] |= {"patterns": [SECRET], "files": ["/home/ana/rules.yaml"]}
    settings["sources"] = sources
    return BuildRecord(
        build="20261121-100000-abcd", created="2026-11-21T10:00:00+00:00", parent=None, settings=settings,
        inputs=(), skipped=(), stages={"parse": an_id("p"), "mix": corpus.manifest.fingerprint, "train-lora": "x"},
    )  # fmt: skip


def numbers_in(path: Path) -> list[int]:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [int(line["messages"][-1]["content"].split()[-1]) for line in lines]


def test_an_example_of_two_phases_is_exported_once(corpus: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "m.jsonl"
    assert export_corpus(corpus, "openai", out).rows == 8
    assert numbers_in(out) == [1, 2, 3, 4, 5, 6, 7, 8]


def test_a_phase_is_exported_as_training_reads_it(corpus: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "m.jsonl"
    assert export_corpus(corpus, "openai", out, ["train"], phase=2).rows == 3
    assert numbers_in(out) == [3, 5, 4]


@pytest.mark.parametrize("form", FORMATS)
def test_a_phase_that_is_not_there_is_refused(corpus: Dataset, tmp_path: Path, form: str) -> None:
    with pytest.raises(UsageError, match=r"no phase 3.*It has: 1, 2"):
        export_corpus(corpus, form, tmp_path / "out", phase=3)
    assert list(tmp_path.iterdir()) == []


def with_shard(corpus: Dataset, folder: Path, rows: list[dict[str, Any]]) -> Dataset:
    """The same corpus with another shard in the place of its first."""
    store = Store(str(folder))
    (folder / "x").mkdir(parents=True)
    file = store.write_table("x", "shard.parquet", pa.Table.from_pylist(rows, schema=CORPUS))
    part = corpus.manifest.parts[0].model_copy(update={"tables": {"train": file}})
    return Dataset(store, corpus.manifest.model_copy(update={"parts": (part,)}))


def test_what_a_shape_cannot_say_is_told(tmp_path: Path) -> None:
    corpus = make(tmp_path / "store", [(1, "train", [1])])
    assert export_corpus(corpus, "alpaca", tmp_path / "a.jsonl").left_out == {}
    messages = row(1, 1)["messages"]
    other = with_shard(corpus, tmp_path / "other", [row(1, 1) | {"messages": [*messages, messages[0]]}])
    assert export_corpus(other, "alpaca", tmp_path / "b.jsonl").left_out == {"questions without a reply": 1}


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("parquet", "json")])
def test_datasets_reads_every_shape(corpus: Dataset, tmp_path: Path, form: str) -> None:
    from datasets import load_dataset

    done = export_corpus(corpus, form, tmp_path / "x.jsonl")
    read = load_dataset("json", data_files=str(tmp_path / "x.jsonl"), cache_dir=str(tmp_path / "hub"))
    assert read["train"].num_rows == done.rows == 8


def test_the_folder_is_read_by_datasets_duckdb_and_pandas(corpus: Dataset, tmp_path: Path) -> None:
    """By default each example once; each phase as it is read, by its name."""
    from datasets import load_dataset

    out = tmp_path / "corpus"
    done = export_corpus(corpus, "parquet", out, record=record(corpus))
    assert (done.examples, done.rows, done.phases) == (8, 8, {1: 5, 2: 5})
    whole = load_dataset(str(out), cache_dir=str(tmp_path / "hub"))
    assert whole["train"]["example_id"][:] == [an_id("e", number) for number in (1, 2, 3, 4, 5)]
    assert {split: rows.num_rows for split, rows in whole.items()} == {
        "train": 5,
        "validation": 1,
        "test": 2,
    }
    second = load_dataset(str(out), "phase-2", cache_dir=str(tmp_path / "hub"))
    assert second["train"]["example_id"][:] == [an_id("e", number) for number in (3, 5, 4)]
    assert set(second) == {"train", "test"}
    counted = duckdb.sql(
        f"select phase, count(*) from read_parquet('{out}/phase-*/train-*.parquet') group by 1 order by 1"
    )
    assert counted.fetchall() == [(1, 4), (2, 3)]
    assert pd.read_parquet(out / "data")["example_id"].is_unique
    assert len(pd.read_parquet(out / "phase-1")) == 5


def test_one_phase_needs_no_folders(corpus: Dataset, tmp_path: Path) -> None:
    from datasets import load_dataset

    out = tmp_path / "corpus"
    assert export_corpus(corpus, "parquet", out, phase=1).rows == 5
    assert sorted(path.name for path in out.iterdir()) == ["README.md", "data"]
    assert sorted(path.name for path in (out / "data").iterdir()) == [
        "train-00000.parquet", "train-00001.parquet", "validation-00000.parquet",
    ]  # fmt: skip
    read = load_dataset(str(out), cache_dir=str(tmp_path / "hub"))
    assert {split: rows.num_rows for split, rows in read.items()} == {"train": 4, "validation": 1}


def test_repeats_of_a_single_phase_have_a_folder_of_their_own(tmp_path: Path) -> None:
    repeated = make(tmp_path / "store", [(1, "train", [1, 2, 1]), (1, "train", [1])])
    done = export_corpus(repeated, "parquet", tmp_path / "out")
    assert (done.examples, done.rows, done.phases) == (2, 2, {1: 4})
    assert sorted(path.name for path in (tmp_path / "out/data").iterdir()) == ["train-00000.parquet"]
    assert len(pd.read_parquet(tmp_path / "out/phase-1")) == 4
    assert "| 1 | 2 | 4 |" in (tmp_path / "out/README.md").read_text("utf-8")
    done = export_corpus(repeated, "parquet", tmp_path / "one", phase=1)
    assert (done.examples, done.rows, done.phases) == (2, 4, {})
    assert "an example may stand in it several times" in (tmp_path / "one/README.md").read_text("utf-8")


def test_the_hub_accepts_the_card_and_it_counts_each_example_once(corpus: Dataset, tmp_path: Path) -> None:
    export_corpus(corpus, "parquet", tmp_path / "c", record=record(corpus, claude={"license": "cc-by-4.0"}))
    card = DatasetCard.load(tmp_path / "c/README.md")
    data = card.data
    assert (data.license, data.license_name) == ("other", "mixed")
    assert (data.language, data.size_categories, data.task_categories) == (
        ["ro"],
        ["n<1K"],
        ["text-generation"],
    )
    assert "| train | 5 | 62.5% |" in card.text
    assert "| jurnal\\|1 | 4 | 50.0% |" in card.text
    assert "| creative | 4 | 50.0% |" in card.text
    assert "| 2 | 5 | 5 |" in card.text
    assert "| claude | cc-by-4.0 |" in card.text
    assert "| jurnal\\|1 | unknown |" in card.text
    assert f"| `mix` | `{corpus.manifest.fingerprint}` |" in card.text
    assert "| `quality.min_chars` |" in card.text
    assert "train-lora" not in card.text
    header = yaml.safe_load(card.content.split("---")[1])
    assert [config["config_name"] for config in header["configs"]] == ["default", "phase-1", "phase-2"]


@pytest.mark.parametrize(
    ("declared", "terms"),
    [
        ({"claude": {"license": "mit"}, "jurnal|1": {"license": "mit"}}, ("mit", None)),
        ({"claude": {"license": "mit"}, "jurnal|1": {"license": "cc0-1.0"}}, ("other", "mixed")),
        ({}, ("other", "unknown")),
    ],
)
def test_the_license_is_one_only_where_all_sources_have_it(
    corpus: Dataset, tmp_path: Path, declared: dict[str, Any], terms: tuple[str, str | None]
) -> None:
    export_corpus(corpus, "parquet", tmp_path / "c", record=record(corpus, **declared))
    data = DatasetCard.load(tmp_path / "c/README.md").data
    assert (data.license, data.get("license_name")) == terms


def test_the_card_knows_no_chat_no_path_and_no_hour(corpus: Dataset, tmp_path: Path) -> None:
    first, later = record(corpus), record(corpus).model_copy(update={"build": "z", "created": "2027"})
    export_corpus(corpus, "parquet", tmp_path / "a", record=first)
    export_corpus(corpus, "parquet", tmp_path / "b", record=later)
    text = (tmp_path / "a/README.md").read_text("utf-8")
    assert text == (tmp_path / "b/README.md").read_text("utf-8")
    for forbidden in (SECRET, str(tmp_path), "/home/ana", first.build, "2026"):
        assert forbidden not in text


def test_a_shard_that_mixes_phases_is_refused(tmp_path: Path) -> None:
    corpus = make(tmp_path / "store", [(1, "train", [1])])
    mixed = with_shard(corpus, tmp_path / "other", [row(1, 1), row(2, 2)])
    with pytest.raises(StoreError, match="several phases"):
        export_corpus(mixed, "parquet", tmp_path / "out")
    assert not (tmp_path / "out").exists()
