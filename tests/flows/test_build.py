"""The main job on the examples, from the command line to every file it promises."""

from __future__ import annotations

import json
import sqlite3
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from storage.catalog import latest_build
from storage.datasets import Dataset, find_dataset
from storage.store import Store

ROOT = Path(__file__).resolve().parents[2]
STAGES = [
    "parse",
    "reconcile",
    "score",
    "filter",
    "assemble",
    "dedup",
    "label",
    "mix",
    "train-lora",
    "train-tribal",
]


def dataset(built: Any, stage: str) -> Dataset:
    store = Store(str(built.home))
    found = find_dataset(store, stage, latest_build(store, "mix").stages[stage])
    assert found is not None
    return found


def test_it_succeeds_and_says_so_in_one_object(built: Any) -> None:
    assert built.answer.code == 0, built.answer.errors
    assert len(built.answer.out.splitlines()) == 1, "with --json, standard output is the object alone"
    summary = built.summary
    assert summary["error"] is None
    assert [stage["stage"] for stage in summary["stages"]] == STAGES
    assert summary["home"] == str(built.home)
    assert set(summary) == {
        "build", "error", "stages", "imports", "messages", "corpus", "warnings", "artifacts", "adapters", "models",
        "report", "home",
    }  # fmt: skip


def test_counts_are_those_of_an_independent_reading(built: Any) -> None:
    expected = json.loads((ROOT / "examples/EXPECTED.json").read_text())
    files = [value for name, value in expected.items() if name.endswith((".zip", ".json", ".jsonl", ".md"))]
    superseded = sum(file.get("duplicate_across_files", 0) for file in files)
    imports = built.summary["imports"]
    assert imports["seen"] == sum(file["conversations_seen"] for file in files)
    assert imports["empty"] == sum(file["empty"] for file in files)
    assert imports["failed"] == sum(file["failed"] for file in files)
    assert imports["duplicate"] == superseded
    assert imports["seen"] == sum(imports[kind] for kind in ("kept", "empty", "failed", "duplicate"))


def test_the_ledger_balances_everywhere(built: Any) -> None:
    messages = built.summary["messages"]
    dropped = sum(messages["dropped"].values())
    assert sum(messages["parsed"].values()) == messages["kept"] + messages["masked"] + dropped
    for stage in built.summary["stages"]:
        assert stage["rows_in"] == stage["rows_out"] + sum(stage["set_aside"].values()), stage["stage"]


def test_nothing_was_asked_of_another_host(built: Any) -> None:
    assert not built.refused_sockets.exists(), built.refused_sockets.read_text()


def test_the_corpus_loads_with_datasets(built: Any, tmp_path: Path) -> None:
    from datasets import load_dataset

    mixed = dataset(built, "mix")
    files = {
        split: [mixed.store.full(f.path) for f in mixed.files(split)]
        for split in ("train", "validation", "test")
    }
    loaded = load_dataset("parquet", data_files=files, cache_dir=str(tmp_path))
    assert {split: len(rows) for split, rows in loaded.items()} == built.summary["corpus"]
    conversations = [set(loaded[split]["conversation_id"]) for split in files]
    assert not conversations[0] & conversations[1] | conversations[0] & conversations[2]
    order = dataset(built, "mix").column("mixture", ["example_id", "split"]).to_pylist()
    assert [row["example_id"] for row in order if row["split"] == "train"] == list(
        loaded["train"]["example_id"]
    )


def test_metadata_and_secrets_stay_out_of_the_text(built: Any) -> None:
    texts = [
        message["content"]
        for split in ("train", "validation", "test")
        for part in dataset(built, "mix").scan(split, ["messages"])
        for messages in part["messages"].to_pylist()
        for message in messages
    ]
    assert texts
    for text in texts:
        for mark in ("\ue200", "\ue202", "turn0search", "【", "<persona", "<|"):
            assert mark not in text


def test_the_adapter_is_real(built: Any) -> None:
    folder, _ = map(Path, built.summary["artifacts"])
    assert (folder / "adapter/adapter_model.safetensors").stat().st_size > 10_000
    account = json.loads((folder / "train.json").read_text())
    assert account["base_is_demo"] is True
    assert account["last_loss"] < account["first_loss"]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert "adapter/adapter_model.safetensors" in manifest["files"]


def test_the_build_leads_to_its_own_adapter(built: Any) -> None:
    """Where it lies, its page, and how it is tried: as `vatra train lora` says it."""
    (own,) = (one for one in built.summary["adapters"] if one["own"])
    assert Path(own["folder"]).resolve() == Path(built.summary["artifacts"][0])
    page = Path(own["page"])
    assert page.is_file()
    assert f'href="{page.name}"' in Path(built.summary["report"]).read_text("utf-8")
    for told in ("Adapter  ", "Training ", "Try it   vatra sample --adapter "):
        assert told + {"Training ": own["page"]}.get(told, own["name"]) in built.answer.errors


def test_the_nova_is_real(built: Any) -> None:
    """A few steps: it got better on what it never read, and a library that knows its architecture opens it."""
    _, folder = map(Path, built.summary["artifacts"])
    (own,) = built.summary["models"]
    assert (own["own"], Path(own["folder"]).resolve()) == (True, folder)
    account = json.loads((folder / "train.json").read_text())
    assert account["after"]["bits_per_byte"] < account["before"]["bits_per_byte"]
    assert account["steps"] == 12
    assert (folder / "model/model.safetensors").stat().st_size > 4 * account["parameters"]
    assert f'href="{Path(own["page"]).name}"' in Path(built.summary["report"]).read_text("utf-8")
    for told in ("NOVA     ", "Training ", "Try it   vatra nova generate --model "):
        assert told + {"Training ": own["page"]}.get(told, own["name"]) in built.answer.errors


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_report_opens_offline(built: Any) -> None:
    page = Path(built.summary["report"])
    reader = _Links()
    reader.feed(page.read_text("utf-8"))
    assert "script" not in reader.tags
    own = {Path(one["page"]).name for kind in ("adapters", "models") for one in built.summary[kind]}
    assert all(link.startswith("#") or link in own for link in reader.links)


def test_the_run_its_tasks_and_the_counts_are_in_prefects_database(built: Any) -> None:
    with sqlite3.connect(built.home / "prefect/prefect.db") as database:
        (state,) = database.execute("select state_name from flow_run where name is not null").fetchone()
        tasks = {name.rsplit("-", 1)[0] for (name,) in database.execute("select name from task_run")}
        (markdown,) = database.execute("select data from artifact where key = 'build-counts'").fetchone()
        logs = " ".join(str(row) for row in database.execute("select message from log"))
    assert state == "Completed"
    assert {*STAGES, "report"} <= tasks
    assert "| filter |" in markdown
    words = {
        w
        for part in dataset(built, "parse").scan("messages", ["content"])
        for w in part["content"].to_pylist()
    }
    long = [text for text in words if len(text) > 40]
    assert not any(text[:40] in markdown or text[:40] in logs for text in long)


def test_a_second_build_reuses_everything_and_ends_with_the_same_bytes(built: Any, run_vatra: Any) -> None:
    settings = ROOT / "examples/settings.yaml"
    again = run_vatra("build", ROOT / "examples", "--settings", settings, "--home", built.home, "--json")
    assert again.code == 0, again.errors
    assert [stage["cached"] for stage in again.object["stages"]] == [True] * len(STAGES)
    for key in ("imports", "messages", "corpus", "artifacts"):
        assert again.object[key] == built.summary[key]


def test_a_stage_runs_again_with_another_setting(built: Any, run_vatra: Any) -> None:
    first = built.summary["build"]
    given = (
        "--set",
        "quality.min_chars=40",
        "--no-ai-slop",
        "--blacklist",
        r"\bhearth\b",
        "--home",
        built.home,
        "--json",
    )
    again = run_vatra("stage", "filter", "--build", first, *given)
    assert again.code == 0, again.errors
    stages = {stage["stage"]: stage for stage in again.object["stages"]}
    assert list(stages) == ["parse", "reconcile", "score", "filter"]
    assert stages["parse"]["cached"]
    assert not stages["score"]["cached"], "a new pattern is a new signal"
    assert stages["filter"]["set_aside"]["too_short"] > 0
    assert again.object["build"] != first


def test_export_gives_the_guides_pairs(built: Any, run_vatra: Any, tmp_path: Path) -> None:
    out = tmp_path / "pairs.jsonl"
    done = run_vatra(
        "export", "--home", built.home, "--build", built.summary["build"], "--out", out, "--json"
    )
    assert done.code == 0, done.errors
    lines = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert len(lines) == done.object["rows"] > 50
    assert all(set(line) == {"instruction", "response", "conversation_id"} for line in lines)
    folder = tmp_path / "corpus"
    done = run_vatra("export", "--home", built.home, "--format", "parquet", "--out", folder, "--json")
    assert (
        sum(pq.read_metadata(file).num_rows for file in folder.glob("data/*.parquet")) == done.object["rows"]
    )
    assert DatasetCard.load(folder / "README.md").data.configs[0]["config_name"] == "default"


def test_report_tells_the_build_again(built: Any, run_vatra: Any) -> None:
    told = run_vatra("report", built.summary["build"], "--home", built.home, "--json")
    assert told.code == 0, told.errors
    assert told.object["messages"] == built.summary["messages"]
    assert "Filtering Statistics" in told.errors


@pytest.mark.parametrize("stage", [stage for stage in STAGES if not stage.startswith("train-")])
def test_manifests_know_no_path_time_or_host(built: Any, stage: str) -> None:
    import socket

    found = dataset(built, stage)
    text = found.manifest.model_dump_json()
    assert str(built.home) not in text
    assert str(ROOT) not in text
    assert socket.gethostname() not in text
