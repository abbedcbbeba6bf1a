"""`vatra explain`, `vatra diff` and `vatra stage filter --dry-run` on real builds of hostile exports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from storage.catalog import read_build
from storage.datasets import Dataset, find_dataset
from storage.store import Store
from tests.flows.conftest import Answer, vatra

ROOT = Path(__file__).resolve().parents[2]
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


@pytest.fixture(scope="module")
def looked(tmp_path_factory: pytest.TempPathFactory) -> Looked:
    folder = tmp_path_factory.mktemp("looking")
    home, old, new = folder / "home", folder / "old.json", folder / "new.json"
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

    for name in ("VATRA_HOME", "VATRA_STORE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)  # the command sets its own

    def run(*arguments: object) -> Answer:
        code = main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run


# --- diff


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


def test_every_message_is_in_one_class(looked: Looked, look: Callable[..., Answer]) -> None:
    found = look("diff", looked.first, looked.second, "--home", looked.home, "--json", "--ids", 100).object
    told = found["messages"]
    rows = [looked.dataset(b, "parse").rows("messages") for b in (looked.first, looked.second)]
    assert [told["before"], told["after"]] == rows
    left = sum(m["count"] for m in told["moved"] if m["before"] is not None)
    come = sum(m["count"] for m in told["moved"] if m["after"] is not None)
    assert [told["unchanged"] + left, told["unchanged"] + come] == rows
    # The newer export holds the greeting again, with two messages more: its old copy is superseded.
    assert {key: count for key, (count, _) in moves(told).items()} == {
        (None, "dropped:superseded"): 2,
        (None, "kept"): 2,
    }
    assert [f["label"] for f in found["inputs_added"]] == ["new.json"]
    assert found["inputs_removed"] == []
    assert found["settings"] == []
    assert all(not stage["same"] for stage in found["stages"])
    assert [stage["stage"] for stage in found["stages"]][:3] == ["parse", "reconcile", "score"]


def test_the_page_is_inert_and_the_terminal_safe(looked: Looked, look: Callable[..., Answer]) -> None:
    from tests.tasks.reports.test_page import assert_offline_and_inert

    answer = look("diff", "latest~2", "latest", "--home", looked.home)
    assert answer.code == 0, answer.errors
    assert f"{looked.second} → {looked.mixed}" in answer.out
    page = looked.home / "reports" / f"diff-{looked.second}-{looked.mixed}.html"
    assert str(page) in answer.out
    text = page.read_text("utf-8")
    parsed = assert_offline_and_inert(text)
    assert "that resonates" in parsed.words
    assert "‹U+001B›" in parsed.words
    assert len(text) < 100_000
    for hidden in ("\x1b", "\u202e", "\x07"):
        assert hidden not in text
        assert hidden not in answer.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diff", "nothing"], ["no build is called 'nothing'"]),
        (["diff", "latest", "latest"], ["not compared with itself"]),
        (["diff", "latest~99"], ["no latest~99", "4 builds"]),
        (["diff", "a", "b", "c"], ["two builds are compared, not 3"]),
        (["diff", "{first}"], ["no earlier build"]),
        (["diff", "--ids", "-1"], ["--ids"]),
        (["explain", "abc"], ["too short"]),
        (["explain", "000000000000"], ["no id", "messages", "No other standing build"]),
        (["explain", "\x1b[2Jhello"], ["‹U+001B›"]),
        (["stage", "score", "--dry-run"], ["only the filter stage"]),
        (["stage", "filter", "{home}", "--dry-run"], ["starts from a build that stands"]),
        (
            ["stage", "filter", "--dry-run", "--set", "toxicity.scorer=profanity"],
            ["toxicity.scorer", "model"],
        ),
        (
            ["stage", "filter", "--dry-run", "--set", "parse.part_bytes=99999"],
            ["parse.part_bytes", "reads no export"],
        ),
        (["stage", "filter", "--dry-run", "--set", "languages=[en]"], ["languages"]),
        (["stage", "filter", "--dry-run", "--set", "mix.seed=1"], ["mix.seed", "later stage"]),
        (
            ["stage", "filter", "--dry-run", "--set", "quality.min_char=1"],
            ["Did you mean quality.min_chars?"],
        ),
        (["stage", "filter", "--dry-run", "--blacklist", "(open"], ["(open"]),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    looked: Looked, look: Callable[..., Answer], arguments: list[str], words: list[str]
) -> None:
    before = listing(looked.home)
    given = [a.format(first=looked.first, home=looked.home) if "{" in a else a for a in arguments]
    answer = look(*given, "--home", looked.home, "--json")
    said = [line for line in answer.errors.splitlines() if line.startswith("vatra: ")]
    assert (answer.code, len(said)) == (2, 1), answer.errors
    assert "a bug" not in said[0]
    for word in words:
        assert word in said[0], said[0]
    assert answer.object["error"]
    assert "\x1b" not in answer.errors
    assert listing(looked.home) == before


def test_a_home_that_is_not_there_is_not_made(tmp_path: Path, look: Callable[..., Answer]) -> None:
    for command in (["diff"], ["explain", "abcdef"], ["stage", "filter", "--dry-run"]):
        answer = look(*command, "--home", tmp_path / "none")
        assert answer.code == 2
        assert "no home folder here yet" in answer.errors
    assert list(tmp_path.iterdir()) == []


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


# --- explain


def explained(looked: Looked, look: Callable[..., Answer], *arguments: str) -> Any:
    answer = look("explain", *arguments, "--home", looked.home, "--json")
    assert answer.code == 0, answer.errors
    return answer


def row_of(looked: Looked, build: str, text: str) -> dict[str, Any]:
    """The message whose text begins so, with its verdict and placement, read from the tables themselves."""
    parsed, judged = looked.dataset(build, "parse"), looked.dataset(build, "filter")
    placed = looked.dataset(build, "assemble")
    for parts in zip(
        parsed.scan("messages"), judged.scan("verdicts"), placed.scan("placements"), strict=True
    ):
        for message, verdict, placement in zip(*(part.to_pylist() for part in parts), strict=True):
            if message["content"].startswith(text):
                return {**message, "verdict": verdict, "placement": placement}
    raise AssertionError(text)


def test_the_story_of_a_message_is_that_of_the_tables(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "That resonates, carry")
    story = explained(looked, look, row["message_id"][:10], "--build", looked.second).object
    (line,) = story["lines"]
    assert (story["kind"], story["id"], line["text"]) == ("message", row["message_id"], row["content"])
    assert line["position"] == row["position"] == 1
    assert line["verdict"]["action"] == row["verdict"]["action"] == "mask"
    assert line["verdict"]["reason"] == "slop"
    (proof,) = line["verdict"]["evidence"]
    assert proof["text"] == row["content"][proof["start"] : proof["end"]] == "That resonates"
    assert line["placement"] == row["placement"]["placement"] == "masked"
    assert line["signals"]["toxicity"] == dict.fromkeys(line["signals"]["toxicity"])
    assert line["signals"]["not_scored"] == "the scorer of this build is none"
    told = story["conversation"]
    assert told["native_id"] == "slop-conversation"
    assert told["file"]["label"] == "old.json"
    assert told["standing"] == {"current": True, "superseded_by": None, "superseded_by_label": None}
    mixture = (
        looked.dataset(looked.second, "mix").column("mixture", ["example_id", "split", "order"]).to_pylist()
    )
    (place,) = [m for m in mixture if m["example_id"] == row["placement"]["example_id"]]
    assert (told["corpus"]["split"], told["corpus"]["order"]) == (place["split"], place["order"])
    assert told["corpus"]["split_size"] == looked.dataset(looked.second, "mix").rows("train")


def test_a_dropped_message_says_why(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.mixed, "Quite so")
    answer = explained(looked, look, row["message_id"])
    (line,) = answer.object["lines"]
    assert (line["placement"], line["placement_reason"]) == ("dropped", "too_short")
    assert "quality:too_short at 0-16: Quite so, it is." in answer.errors
    assert "not scored" in answer.errors


def test_a_conversation_is_told_by_the_providers_id(looked: Looked, look: Callable[..., Answer]) -> None:
    story = explained(looked, look, "short-conv", "--build", looked.mixed).object
    assert story["kind"] == "conversation"
    assert [line["position"] for line in story["lines"]] == [0, 1, 2, 3]
    assert [line["placement"] for line in story["lines"]] == ["context", "dropped", "context", "trained"]
    example = story["conversation"]["corpus"]["example_id"]
    again = explained(looked, look, example, "--build", looked.mixed).object
    assert again["id"] == story["id"], "an example leads to its conversation"


def test_twins_and_the_one_that_is_left_out(looked: Looked, look: Callable[..., Answer]) -> None:
    found = [
        explained(looked, look, name).object["conversation"]["corpus"]
        for name in ("twin-conversation-one", "twin-conversation-two")
    ]
    assert found[0]["twins"] == [found[1]["example_id"]]
    assert found[0]["keeper_id"] == found[1]["keeper_id"]
    left = [c for c in found if c["example_id"] != c["keeper_id"]]
    assert [c["left_out"] for c in left] == ["exact_duplicate"]
    assert [c["split"] for c in found if c["left_out"] is None] == ["train"]


def test_of_two_copies_the_current_one_is_told(looked: Looked, look: Callable[..., Answer]) -> None:
    story = explained(looked, look, "greeting", "--build", looked.second).object
    assert story["conversation"]["file"]["label"] == "new.json"
    assert [copy["label"] for copy in story["copies"]] == ["old.json"]
    assert len(story["lines"]) == 4
    row = row_of(looked, looked.second, "More?")
    assert explained(looked, look, row["message_id"], "--build", looked.second).object["copies"] == []


def test_an_ambiguous_beginning_lists_candidates(looked: Looked, look: Callable[..., Answer]) -> None:
    answer = look("explain", "twin-conv", "--home", looked.home)
    assert answer.code == 2
    assert "2 ids begin with 'twin-conv'" in answer.errors
    assert "conversation twin-conversation-one, conversation twin-conversation-two" in answer.errors


def test_a_message_of_another_build_is_found_there(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "More?")
    answer = look("explain", row["message_id"], "--build", looked.first, "--home", looked.home)
    assert answer.code == 2
    assert looked.first in answer.errors
    assert "add --build " in answer.errors
    other = answer.errors.split("add --build ")[1].split(".")[0].strip()
    assert explained(looked, look, row["message_id"], "--build", other).object["id"] == row["message_id"]


def test_hostile_texts_are_shown_and_obeyed_by_nobody(looked: Looked, look: Callable[..., Answer]) -> None:
    row = row_of(looked, looked.second, "<script>")
    for more in ([], ["--full"]):
        answer = explained(looked, look, row["message_id"], "--build", looked.second, *more)
        for text in (answer.errors, answer.out, answer.object["lines"][0]["text"]):
            for hidden in ("\x1b", "\x07", "\u202e", "\r"):
                assert hidden not in text
        assert "‹U+001B›[2J" in answer.errors
        assert "[y](javascript:alert(1))" in answer.errors
    story = answer.object["conversation"]
    assert "\n" not in story["title"]
    long = row_of(looked, looked.second, LONG_WORD)
    short = explained(looked, look, long["message_id"], "--build", looked.second).object["lines"][0]
    assert short["text_cut"]
    assert len(short["text"]) < 400
    whole = explained(looked, look, long["message_id"], "--build", looked.second, "--full").object["lines"][0]
    assert (whole["text"], whole["text_cut"]) == (LONG_WORD, False)


def test_a_build_that_stopped_early_says_how_far_it_came(
    looked: Looked, look: Callable[..., Answer], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    shutil.copytree(looked.home, home)
    store = Store(str(home))
    for build in (looked.second, looked.first, looked.mixed, looked.filtered):
        record = read_build(store, build)
        for stage in ("assemble", "dedup", "mix"):
            if stage in record.stages:
                shutil.rmtree(home / "datasets" / stage / record.stages[stage], ignore_errors=True)
    story = look("explain", "slop-conv", "--build", looked.second, "--home", home, "--json").object
    assert story["unreached"] == ["assemble", "dedup", "mix"]
    assert story["lines"][1]["verdict"]["action"] == "mask"
    assert story["lines"][1]["placement"] is None
    found = look("diff", looked.second, looked.mixed, "--home", home, "--json").object
    assert found["level"] == "verdicts"
    assert found["messages"] == looked.trial["messages"]
    trial = look("stage", "filter", "--dry-run", "--build", looked.second, *CHANGE, "--home", home, "--json")
    assert trial.object["assembled"] == looked.trial["assembled"], (
        "placements are made in memory where none stand"
    )


def test_stages_are_accounted_for_as_the_builds_did(
    looked: Looked, look: Callable[..., Answer], tmp_path: Path
) -> None:
    """Rows in, out and set aside of every stage are those that the build itself printed."""
    home = tmp_path / "home"
    shutil.copytree(looked.home, home)
    built = vatra("report", looked.mixed, "--home", home, "--json").object["stages"]
    found = look("diff", looked.second, looked.mixed, "--home", home, "--json").object["stages"]
    keys = ("fingerprint", "unit", "rows_in", "rows_out", "set_aside")
    assert [s["stage"] for s in found] == [s["stage"] for s in built]
    assert [s["after"] for s in found] == [{k: s[k] for k in keys} for s in built]
    assert [s["stage"] for s in found if s["same"]] == ["parse", "reconcile"]
