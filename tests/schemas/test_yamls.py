"""YAML files of people: keys that stand twice, aliases that unfold, files that are none."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.settings.evaluations import read_evaluation
from schemas.settings.loading import load_build_settings, preset_values, resolve_rules
from schemas.settings.rules import PatternRules
from schemas.settings.sources_file import load_sources
from schemas.settings.yamls import parse_yaml

ROOT = Path(__file__).resolve().parents[2]
MAPPED = "{path: x.jsonl, mapping: {turns: [assistant: a]}}"
LAUGH = "".join(
    f"{name}: &{name} [{', '.join(['*' + inner] * 9) if inner else 'ha'}]\n"
    for inner, name in zip(["", *"abcdefg"], "abcdefgh", strict=True)
)


def parsed(text: str) -> object:
    return parse_yaml(text, "the file", "f.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", r"the key 'a' stands twice, in line 1 too \(f.yaml, line 3\)"),
        ('a: 1\n"a": 3\n', "'a' stands twice"),
        ('x:\n  1: a\n  "1": b\n', r"'1' stands twice, in line 2 too \(f.yaml, line 3\)"),
        ("x: {y: [{z: 1, z: 2}]}\n", "'z' stands twice"),
        ("b: &b {x: 1}\nc: &c {y: 1}\nd:\n  <<: *b\n  <<: *c\n", "'<<' stands twice"),
        ("a: &a\n  b: *a\n", "an alias stands for what it is a part of"),
        (LAUGH, r"aliases add more than 10,000 entries to it \(f.yaml, line [4-8]\)"),
        (LAUGH.replace("[ha]", "{ha: 1}") + "z: {<<: *h}\n", "aliases add more than"),
        ("- " * 5000, "not valid YAML"),
    ],
)
def test_what_yaml_allows_and_we_do_not(text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parsed(text)


def test_aliases_and_merges_stay() -> None:
    assert parsed("b: &b {x: 1, y: 1}\nm: &m {<<: *b, x: 2}\nt: {<<: *m, y: 3}\nl: [*b, *b]\n") == {
        "b": {"x": 1, "y": 1}, "m": {"x": 2, "y": 1}, "t": {"x": 2, "y": 3}, "l": [{"x": 1, "y": 1}] * 2,
    }  # fmt: skip
    assert parsed("") is None
    assert len(parsed("\n".join(f"k{n}: {n}" for n in range(20_000)))) == 20_000  # type: ignore[arg-type]


def test_every_file_that_people_write_is_held_to_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    readers: list[tuple[str, Callable[[], object]]] = [
        (f"sources:\n  a: {MAPPED}\n  a: {MAPPED}\n", lambda: load_sources(path)),
        ("languages: [en]\nlanguages: [ro]\n", lambda: load_build_settings(file=path)),
        ("rank: 1\nrank: 2\n", lambda: preset_values("train", str(path))),
        (
            "- {name: a, name: b, pattern: x}\n",
            lambda: resolve_rules("slop", PatternRules(files=(str(path),))),
        ),
        ("", lambda: load_build_settings(overrides=["mix.shares={a: 1, a: 2}"])),
    ]
    for text, read in readers:
        path.write_text(text)
        with pytest.raises(SettingsError, match=r"stands twice, in line \d+ too \(.+, line \d+\)"):
            read()


def test_shipped_files_hold_to_it() -> None:
    found = [path for top in ("schemas", "models", "examples") for path in (ROOT / top).rglob("*.yaml")]
    assert len(found) > 10
    for path in (*found, ROOT / "prefect.yaml"):
        parse_yaml(path.read_text("utf-8"), "it", str(path))


def test_a_settings_file_that_would_never_end_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    for path in (pipe, tmp_path / "zero.yaml", tmp_path):
        with pytest.raises(SettingsError, match="no regular file"):
            load_sources(path)
    with pytest.raises(SettingsError, match="cannot read the evaluation prompts: it is no regular file"):
        read_evaluation(pipe)
    rules = PatternRules(files=(str(pipe),))
    with pytest.raises(SettingsError, match="cannot read the rule file: it is no regular file"):
        resolve_rules("slop", rules)
    with pytest.raises(SettingsError, match="cannot read the file of sources: ValueError"):
        load_sources(Path("a\0b.yaml"))
