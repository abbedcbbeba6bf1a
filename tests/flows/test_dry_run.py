"""`vatra stage filter --dry-run`: it says what the real run does, and writes nothing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import read_build
from storage.datasets import Dataset
from storage.store import Store
from tests.flows.conftest import ROOT, Answer
from tests.flows.looked import CHANGE, Looked, moves


def test_a_dry_run_says_what_the_real_run_does(looked: Looked, look: Callable[..., Answer]) -> None:
    """The same moves, with the same ids: of the verdicts after the filter, of the placements after assembly."""
    assert looked.trial["build"] == looked.second
    assert looked.trial["refused"] == []
    filtered = look("diff", looked.filtered, "--home", looked.home, "--json").object
    mixed = look("diff", looked.mixed, "--home", looked.home, "--json").object
    assert (filtered["before"], filtered["level"]) == (looked.second, "verdicts"), "compared with its parent"
    assert (mixed["before"], mixed["level"]) == (looked.second, "placements")
    assert looked.trial["messages"] == filtered["messages"]
    assert looked.trial["assembled"] == mixed["messages"]
    assert looked.trial["settings"] == mixed["settings"]
    said = moves(looked.trial["messages"])
    assert said["masked:slop", "kept"][0] == 2
    assert said["kept", "masked:blacklist"][0] == 1, "a new pattern is found in the texts"
    assert said["kept", "dropped:too_short"][0] == 2
    assert moves(looked.trial["assembled"])["kept", "dropped:answer_dropped"][0] == 1, (
        "what follows is told too"
    )
    assert ("kept", "dropped:answer_dropped") not in said


def test_outcomes_are_those_of_the_tables(looked: Looked) -> None:
    for build, side in ((looked.second, 0), (looked.filtered, 1)):
        actions = Counter(
            looked.dataset(build, "filter").column("verdicts", ["action"])["action"].to_pylist()
        )
        expected = (actions["keep"], actions["mask"], actions["drop_turn"] + actions["drop_conversation"])
        assert (
            tuple(looked.trial["outcomes"][name][side] for name in ("kept", "masked", "dropped")) == expected
        )


def test_what_the_filter_would_refuse_is_said(looked: Looked, look: Callable[..., Answer]) -> None:
    answer = look(
        *("stage", "filter", "--dry-run", "--home", looked.home, "--json", "--blacklist", "."),
    )
    assert answer.code == 0, answer.errors
    (refused,) = answer.object["refused"]
    assert "at least one assistant message is left to learn from" in refused
    assert "The filter would refuse this" in answer.errors


def test_looking_imports_neither_prefect_nor_great_expectations(looked: Looked) -> None:
    commands = [
        ["stage", "filter", "--dry-run", "--blacklist", "stone"],
        ["diff"],
        ["explain", "twin-conversation-one"],
    ]
    code = (
        "import sys; from flows.cli import main\n"
        f"codes = [main([*c, '--home', {str(looked.home)!r}]) for c in {commands!r}]\n"
        "print(codes, [m for m in ('prefect', 'great_expectations', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[0, 0, 0] []"


def test_texts_are_read_for_what_is_shown_and_not_more(
    looked: Looked, look: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned: list[str] = []
    scan = Dataset.scan

    def watched(self: Dataset, table: str, columns: Any = None) -> Any:
        if table in ("messages", "examples"):
            scanned.extend(columns)
        return scan(self, table, columns)

    monkeypatch.setattr(Dataset, "scan", watched)
    for command in (["diff"], ["explain", "lonely-conv"], ["stage", "filter", "--dry-run", "--no-ai-slop"]):
        assert look(*command, "--home", looked.home).code == 0
    assert "message_id" in scanned
    assert not {"content", "messages"} & set(scanned)
    assert look("stage", "filter", "--dry-run", "--blacklist", "beam", "--home", looked.home).code == 0
    assert "content" in scanned, "only a new pattern needs the texts"


def test_a_build_that_stopped_early_says_how_far_it_came(
    looked: Looked, look: Callable[..., Answer], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(looked.home, home)
    store = Store(str(home))
    for build in (looked.second, looked.first, looked.mixed, looked.filtered):
        record = read_build(store, build)
        for stage in ("assemble", "dedup", "label", "mix"):
            if stage in record.stages:
                shutil.rmtree(home / "datasets" / stage / record.stages[stage], ignore_errors=True)
    story = look("explain", "slop-conv", "--build", looked.second, "--home", home, "--json").object
    assert story["unreached"] == ["assemble", "dedup", "label", "mix"]
    assert story["lines"][1]["verdict"]["action"] == "mask"
    assert story["lines"][1]["placement"] is None
    found = look("diff", looked.second, looked.mixed, "--home", home, "--json").object
    assert found["level"] == "verdicts"
    assert found["messages"] == looked.trial["messages"]
    trial = look("stage", "filter", "--dry-run", "--build", looked.second, *CHANGE, "--home", home, "--json")
    assert trial.object["assembled"] == looked.trial["assembled"], (
        "placements are made in memory where none stand"
    )
