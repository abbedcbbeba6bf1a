"""`vatra diff` on real builds; and what none of the commands that look can answer."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.flows.conftest import Answer, vatra
from tests.flows.looked import Looked, listing, moves
from tests.tasks.reports.test_page import assert_offline_and_inert


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
