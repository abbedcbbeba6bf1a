"""Builds of hostile exports, for tests of the commands that only look: explain, diff, and the dry run."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from storage.catalog import read_build
from storage.datasets import Dataset, find_dataset
from storage.store import Store

if TYPE_CHECKING:
    from tests.flows.conftest import Answer

LONG_WORD = "w" * 100_000
HOSTILE = (
    "<script>alert(1)</script> ![x](https://evil.example/p.png) [y](javascript:alert(1)) "
    "\u202egnp.exe\u202c \x1b[2J\x1b]0;owned\x07 back\rover that resonates"
)
CHANGE = (
    "--set",
    "quality.min_chars=30",
    "--no-ai-slop",
    "--blacklist",
    "lanterns?",
    "--toxicity-threshold",
    "0.5",
)


def chat(name: str, *texts: str, updated: float = 2.0, title: str = "t") -> dict[str, Any]:
    """A ChatGPT conversation: question, answer, question, ..."""
    mapping: dict[str, Any] = {"root": {"id": "root", "message": None, "parent": None, "children": []}}
    before = "root"
    for number, text in enumerate(texts):
        node = f"{name}-{number}"
        mapping[before]["children"].append(node)
        message = {
            "id": node,
            "author": {"role": ("user", "assistant")[number % 2]},
            "create_time": 1_700_000_000.0 + number,
            "content": {"content_type": "text", "parts": [text]},
            "recipient": "all",
            "metadata": {},
        }
        mapping[node] = {"id": node, "message": message, "parent": before, "children": []}
        before = node
    return {
        "title": title, "create_time": 1.0, "update_time": updated, "conversation_id": name, "id": name,
        "mapping": mapping, "current_node": before,
    }  # fmt: skip


HELD = "A good question about hearths, number {0}: stone holds the warmth longest."
CHATS = [
    chat("hostile-conversation", "What is this text here?", HOSTILE, LONG_WORD, f"You wrote {LONG_WORD}",
         title=HOSTILE),
    chat("short-conversation", "Is it true, do you think?", "Quite so, it is.", "And then what happened?",
         HELD.format(1)),
    chat("slop-conversation", "How do I carry the lantern?", "That resonates, carry it low and slow.",
         "And the other lantern there?", "The lanterns hang from the beam by the door."),
    chat("twin-conversation-one", "Tell me about the beam again.", "It is oak, and older than the house itself."),
    chat("twin-conversation-two", "Tell me about the beam again.", "It is oak, and older than the house itself."),
    chat("lonely-conversation", "Did you sleep well this night?", "Yes, quite well."),
    chat("greeting", "Good evening to you all here.", HELD.format(2)),
]  # fmt: skip
NEWER = [
    chat("greeting", "Good evening to you all here.", HELD.format(2), "More?", HELD.format(3), updated=9.0)
]


@dataclass(frozen=True)
class Looked:
    """A home with builds: first (one export), second (two exports), filtered and mixed (second, with CHANGE)."""

    home: Path
    first: str
    second: str
    trial: dict[str, Any]
    filtered: str
    mixed: str

    def dataset(self, build: str, stage: str) -> Dataset:
        store = Store(str(self.home))
        found = find_dataset(store, stage, read_build(store, build).stages[stage])
        assert found is not None
        return found


def listing(home: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file and folder under the home."""
    return {str(p): (p.lstat().st_size, p.lstat().st_mtime_ns) for p in sorted(home.rglob("*"))}


@pytest.fixture(scope="session")
def looked(tmp_path_factory: pytest.TempPathFactory, run_database: Path) -> Looked:
    from tests.flows.conftest import vatra  # which imports this module

    folder = tmp_path_factory.mktemp("looking")
    home, old, new = folder / "home", folder / "old.json", folder / "new.json"
    shutil.copytree(run_database, home / "prefect")
    old.write_text(json.dumps(CHATS), "utf-8")
    new.write_text(json.dumps(NEWER), "utf-8")

    def done(*arguments: object) -> dict[str, Any]:
        answer = vatra(*arguments, "--home", home, "--json")
        assert answer.code == 0, answer.errors
        return answer.object

    offline = ("--set", "toxicity.scorer=none", "--set", "mix.validation=0", "--set", "mix.test=0")
    first = done("build", old, *offline)["build"]
    second = done("build", old, new, *offline)["build"]
    before = listing(home)
    trial = done("stage", "filter", "--dry-run", *CHANGE)
    assert listing(home) == before, "a dry run writes nothing"
    filtered = done("stage", "filter", "--build", second, *CHANGE)["build"]
    mixed = done("stage", "mix", "--build", second, *CHANGE)["build"]
    return Looked(home, first, second, trial, filtered, mixed)


def moves(found: dict[str, Any]) -> dict[tuple[str | None, str | None], tuple[int, list[str]]]:
    return {(m["before"], m["after"]): (m["count"], m["ids"]) for m in found["moved"]}


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """A command that only looks, in this process: it needs no Prefect, whose settings are a process's own."""
    from flows.cli import main
    from tests.flows.conftest import Answer

    for name in ("VATRA_HOME", "VATRA_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command sets its own

    def run(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run
