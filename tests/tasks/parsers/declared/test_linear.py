"""Patterns of a declaration: they do what they did in Python, and never take for ever."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from tasks.parsers.declared.linear import every_pair, first_groups, found_in, replacing
from tasks.parsers.declared.values import plain
from tests.tasks.parsers.declared.conftest import QA

#: In Python's own engine each of these takes longer than anybody waits.
LONG = "a" * 64 + "!"
Run = Callable[..., SimpleNamespace]


def test_a_pattern_takes_no_longer_than_the_text_is_long(run: Run) -> None:
    records = [{"q": LONG, "a": "an answer"}]
    replaced = {"turns": [{"user": {"path": "q", "replace": {"(a+)+$": ""}}}, {"assistant": "a"}]}
    assert run(records, mapping=replaced).texts[0] == ("user", LONG)
    kept = run(records, mapping=QA, filters={"where": {"column": "q", "matches": "^(a+)+!"}})
    assert kept.texts[0] == ("user", LONG)
    cut = {"turns": [{"text_split": {"text": "q", "pattern": "(?P<user>(a+)+)(?P<assistant>!|(a+)+$)"}}]}
    assert run(records, mapping=cut).texts == [("user", "a" * 64), ("assistant", "!")]
    text = run(f"{LONG}\nmore\nT!\n", name="x.txt", read={"begins": "^(a+)+$|^T"}, narrative={})
    assert [said for _, said in text.texts] == [f"{LONG}\nmore", "T!"]


def test_spaces_in_html_take_no_longer_than_they_are_long() -> None:
    assert plain("<b>a" + " " * 200_000 + "b</b> \n \n c") == "a" + " " * 200_000 + "b\n\nc"


PATTERNS = (
    r"a",
    r"(a)|(b)",
    r"(?P<x>a+?)(?P<y>b*)",
    r"^a",
    r"\bb",
    r"(?i)A(?P<x>.)?",
    r"[^ab]+",
    r"(?s)a.*?b",
    r"",
)
REPLACEMENTS = ("", "$1", r"<\g<0>>", r"\\", "\0")


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_does_what_python_does(pattern: str) -> None:
    chance = random.Random(7)
    for _ in range(40):
        text = "".join(chance.choice("aabb \nă€\U0001f600") for _ in range(chance.randrange(9)))
        assert found_in(pattern, [text]) == [re.search(pattern, text) is not None]
        match = re.search(pattern, text)
        named = None if match is None else [(k, v) for k, v in match.groupdict().items() if v is not None]
        assert first_groups(pattern)(text) == named
        for replacement in REPLACEMENTS:
            assert replacing(pattern, replacement)(text) == re.sub(pattern, replacement, text), (
                text,
                replacement,
            )


def test_every_match_gives_its_pair() -> None:
    find = every_pair(r"(?m)^(?P<text>\w+)<(?P<role>\w*)>", "role", "text")
    assert find("one<a>x<y>\ntwo<>\n three<c>\nfour<d>") == [("a", "one"), ("", "two"), ("d", "four")]
    assert find("none") is None


def test_halves_of_characters_are_no_obstacle(run: Run) -> None:
    assert found_in("b", ["a\ud800b\0", "a"]) == [True, False]
    assert replacing("b", "c")("a\ud83d\ude00b\udfff\0") == "a\U0001f600c\ufffd"
    found = run(
        '{"q": "x \\ud800 t", "a": "an \\u0000 answer"}',
        mapping={"turns": [{"user": {"path": "q", "replace": {"t": "$1"}}}, {"assistant": "a"}]},
    )
    assert found.texts == [("user", "x \ufffd $1"), ("assistant", "an  answer")]
