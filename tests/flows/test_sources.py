"""`vatra build --sources`: from a file of sources to a corpus; what is not changed is not read again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from flows.finding import with_sources
from schemas.settings import load_build_settings
from storage.catalog import latest_build
from storage.datasets import find_dataset
from storage.store import Store

# These texts are alike on purpose: what is asked of them is not whether they are copies.
SET = ("--set", "toxicity.scorer=none", "--set", "dedup.near=false")


def write(folder: Path, **changes: Any) -> Path:
    """Three sources, one of them exports as they are; `changes` by source."""
    lines = [
        {"asked": f"What is the number {n} good for?", "told": f"It counts {n} things."} for n in range(30)
    ]
    (folder / "qa.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    stories = "\n\n".join(f"On day {n} the family met by the hearth and told stories." for n in range(20))
    (folder / "stories.txt").write_text(stories, "utf-8")
    chat = {"messages": [{"role": "user", "content": "Good evening, is anybody at home?"},
                         {"role": "assistant", "content": "Somebody always is, come in."}]}  # fmt: skip
    (folder / "chats.json").write_text(json.dumps([chat]), "utf-8")
    sources: dict[str, Any] = {
        "qa": {"path": "qa.jsonl", "category": "factual",
               "mapping": {"turns": [{"user": "asked"}, {"assistant": "told"}]}},
        "stories": {"path": "stories.txt", "category": "creative", "read": {"split": "paragraphs"},
                    "narrative": {"form": "text"}},
        "own": {"path": "chats.json"},
    }  # fmt: skip
    for name, change in changes.items():
        sources[name] |= change
    file = folder / "sources.yaml"
    file.write_text(yaml.safe_dump({"sources": sources}), "utf-8")
    return file


def corpus(home: Path) -> list[dict[str, Any]]:
    store = Store(str(home))
    record = latest_build(store, "mix")
    dataset = find_dataset(store, "mix", record.stages["mix"])
    assert dataset is not None
    return [
        row
        for split in ("train", "validation", "test")
        for part in dataset.scan(split)
        for row in part.to_pylist()
    ]


def test_which_sources_are_ones_own(tmp_path: Path) -> None:
    qa = {"turns": [{"user": "asked"}, {"assistant": "told"}]}
    sources = {
        "claude-web": {"path": "a"},
        "public-chats": {"path": "b", "own": False},
        "hub": {"dataset": "x/y", "revision": "0" * 40},
        "sms": {"path": "c", "mapping": qa, "own": True},
        "qa": {"path": "d", "mapping": qa},
    }
    (tmp_path / "s.yaml").write_text(yaml.safe_dump({"sources": sources}), "utf-8")
    named = f"sources_file={tmp_path / 's.yaml'}"
    assert with_sources(load_build_settings("personal", overrides=[named])).mix.own == ("claude-web", "sms")
    assert with_sources(load_build_settings("emergent", overrides=[named])).mix.own == (), "nobody asks"


def test_a_build_of_sources(run_vatra: Any, home: Path, tmp_path: Path) -> None:
    file = write(tmp_path)
    done = run_vatra("build", "--sources", file, "--home", home, *SET, "--json")
    assert done.code == 0, done.errors
    assert done.object["imports"] == {
        "seen": 51,
        "kept": 51,
        "empty": 0,
        "failed": 0,
        "duplicate": 0,
        "left_out": 0,
    }
    rows = corpus(home)
    assert {(row["source"], row["category"]) for row in rows} == {
        ("qa", "factual"),
        ("stories", "creative"),
        ("own", None),
    }
    stories = [row for row in rows if row["source"] == "stories"]
    assert len(stories) == 20
    assert all(
        [m["role"] for m in row["messages"]] == ["assistant"] and row["messages"][0]["trainable"]
        for row in stories
    )
    text = json.dumps([row["messages"] for row in rows])
    assert not any(name in text for name in ("creative", "factual", "qa.jsonl"))
    assert Path(done.object["report"]).read_text("utf-8").count("stories.txt") > 0

    parse = done.object["stages"][0]
    again = run_vatra("build", "--sources", file, "--home", home, *SET, "--json")
    assert again.object["stages"][0]["cached"]
    assert again.object["stages"][0]["fingerprint"] == parse["fingerprint"]
    write(tmp_path, qa={"filters": {"where": {"column": "asked", "matches": "[02468] good"}}})
    changed = run_vatra("build", "--sources", file, "--home", home, *SET, "--json")
    assert changed.object["stages"][0]["parts"] == {"computed": 1, "reused": 2}
    assert changed.object["stages"][0]["set_aside"] == {"where:asked": 15}
    assert changed.object["imports"]["left_out"] == 15

    rerun = run_vatra("stage", "filter", "--set", "quality.min_chars=25", "--home", home, "--json")
    assert rerun.code == 0, rerun.errors
    tried = run_vatra("stage", "filter", "--dry-run", "--set", "quality.min_chars=5", "--home", home)
    assert tried.code == 0, tried.errors
    moved = run_vatra("stage", "parse", "--set", "sources.qa.path=[/elsewhere.jsonl]", "--home", home)
    assert moved.code == 2
    assert "its files must be found anew" in moved.errors


def test_weights_are_shares(run_vatra: Any, home: Path, tmp_path: Path) -> None:
    file = write(tmp_path, qa={"weight": 1}, stories={"weight": 1}, own={"weight": 0.1})
    done = run_vatra("build", "--sources", file, "--home", home, *SET, "--json")
    assert done.code == 0, done.errors
    counts: dict[str, int] = {}
    for row in corpus(home):
        counts[row["source"]] = counts.get(row["source"], 0) + 1
    assert counts["qa"] == counts["stories"] == 10
    write(tmp_path, qa={"weight": 1})
    refused = run_vatra("build", "--sources", file, "--home", home, *SET)
    assert (refused.code, "the source 'own' has no weight" in refused.errors) == (2, True)


def test_nothing_to_build_from(run_vatra: Any, tmp_path: Path) -> None:
    done = run_vatra("build", "--home", tmp_path / "home")
    assert (done.code, "there is nothing to build from" in done.errors) == (2, True)
    wrong = write(tmp_path, qa={"mapping": {"turns": [{"user": "asked"}, {"assistant": "answer"}]}})
    done = run_vatra("build", "--sources", wrong, "--home", tmp_path / "home", *SET)
    assert done.code == 1
    assert (
        "no record has the column 'answer'; the columns are: asked, told (source qa, qa.jsonl)" in done.errors
    )
    assert not list((tmp_path / "home").glob("datasets/*"))
