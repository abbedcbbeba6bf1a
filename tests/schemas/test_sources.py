"""The file of sources: what may be said, and errors that name source, key and what was meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.errors import SettingsError, UsageError
from schemas.settings import BuildSettings
from schemas.settings.sources import Source
from schemas.settings.sources_file import load_sources

QA: dict[str, Any] = {"turns": [{"user": "q"}, {"assistant": "a"}]}


def refused(tmp_path: Path, source: Any, name: str = "one") -> str:
    file = tmp_path / "sources.yaml"
    file.write_text(yaml.safe_dump({"sources": {name: source}}), "utf-8")
    with pytest.raises(SettingsError) as raised:
        load_sources(file)
    assert "sources.yaml" in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({}, "give path or dataset"),
        ({"path": "x", "dataset": "a/b"}, "give path or dataset, not both"),
        ({"path": "x", "mappin": QA}, "unknown key sources.one.mappin (", ),
        ({"path": "x", "mappin": QA}, "Did you mean mapping?"),
        ({"path": "x", "turns": []}, "It belongs under mapping.turns."),
        ({"path": "x", "mapping": {"turns": [{"usr": "q"}]}}, "Did you mean user?"),
        ({"path": "x", "mapping": {"turns": [{"user": {"templat": "q"}}, {"assistant": "a"}]}},
         "Did you mean template?"),
        ({"path": "x", "mapping": {"turns": [{"user": "q"}]}}, "no turn is the assistant's: a set without answers"),
        ({"path": "x", "mapping": {"turns": [{"user": "q", "assistant": "a"}]}}, "give exactly one of system, user"),
        ({"path": "x", "mapping": {"turns": [{"assistant": {"path": "a", "constant": "b"}}]}}, "not path and constant"),
        ({"path": "x", "mapping": {**QA, "text_split": {"text": "t", "pattern": "a"}}}, "has no named group"),
        ({"path": "x", "mapping": {**QA, "text_split": {"text": "t", "pattern": "("}}}, "no regular expression"),
        ({"path": "x", "mapping": {**QA, "text_split": {"text": "t", "separator": "|"}}}, "a separator needs names"),
        ({"path": "x", "mapping": QA, "narrative": {}}, "give mapping or narrative, not both"),
        ({"path": "x", "narrative": {"form": "reply"}}, "form: reply needs prompts"),
        ({"path": "x", "narrative": {"prompts": [" "]}}, "a prompt is empty"),
        ({"path": "x", "category": "tecnical"}, "unknown category; there are: technical, instructional"),
        ({"path": "x", "weight": 0}, "greater than 0"),
        ({"path": "x", "weight": 1e308}, "less than or equal to 1000000000000"),
        ({"path": "x", "weight": True}, "sources.one.weight: a number is asked for, not true or false"),
        ({"path": "x", "sample": 1.5}, "less than 1"),
        ({"path": "x", "read": {"kind": "csv"}}, "read goes with mapping or narrative"),
        ({"path": "x", "mapping": QA, "read": {"header": False}}, "header: false needs columns"),
        ({"path": "x", "revision": "a" * 40}, "go with dataset"),
        ({"dataset": "a/b", "mapping": QA}, "is not pinned: revision is a full commit (40 hexadecimal digits)"),
        ({"dataset": "a/b", "revision": "main", "mapping": QA}, "is not pinned"),
        ({"dataset": "../a", "revision": "a" * 40, "mapping": QA}, "is a name on Hugging Face"),
        ({"path": "x", "roles": {"Doc": "doctor"}}, "sources.one.roles.Doc"),
        ({"path": "x", "filters": {"where": {"column": "a", "equals": None}}}, "says nothing of 'a'"),
        ({"path": "x", "filters": {"where": {"column": "a", "equal": 1}}}, "Did you mean equals?"),
        ({"path": "x", "seed": True}, "sources.one.seed: a number is asked for, not true or false"),
        ({"path": "x", "filters": {"where": [{"column": "a", "at_least": False}]}},
         "sources.one.filters.where.0.at_least: a number is asked for"),
        ({"path": ""}, "sources.one.path: no path: it is empty"),
        ({"path": ["x", "a\0b"]}, "sources.one.path: no path: it is empty, or holds a character of the code 0"),
    ],
)  # fmt: skip
def test_refused(tmp_path: Path, source: Any, said: str) -> None:
    assert said in refused(tmp_path, source)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sources: []", "no mapping of names to sources"),
        ("", "no mapping of names to sources"),
        ("sorces: {}", "begins with `sources:`"),
        ("sources: {a b: {path: x}}", "the source name 'a b' has other characters"),
        ("sources: {a: [", "is not valid YAML"),
        ("- a", "the file of sources must be a mapping"),
        (
            'sources:\n  a: {path: "x\\d"}',
            "the file of sources is not valid YAML: found unknown escape character 'd'",
        ),
        (
            'sources:\n  a: {path: "x\\d"}',
            "line 2, column 16). Between double quotes a backslash is written twice",
        ),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(SettingsError) as raised:
        load_sources(tmp_path / "s.yaml")
    assert said in str(raised.value)


def test_a_home_folder_that_nobody_has_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "sources.yaml"
    file.write_text("sources: {one: {path: ~nobody-of-this-name/x.jsonl}}")
    with pytest.raises(
        UsageError, match=r"nobody's home folder is called so \(~nobody-of-this-name/x.jsonl\)"
    ):
        load_sources(file)


def test_paths_are_taken_from_the_files_own_folder(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("sources: {b: {path: [x/y.csv, /z.csv], category: label}, a: {path: c}}")
    sources = load_sources(tmp_path / "s.yaml")
    assert list(sources) == ["a", "b"]
    assert sources["b"].path == (str(tmp_path / "x/y.csv"), "/z.csv")
    assert sources["b"].category is None


def test_settings_keep_sources_as_they_were(tmp_path: Path) -> None:
    source = {
        "path": "x",
        "mapping": {"turns": [{"user": {"join": ["q", "more"]}}, {"assistant": {"join": "as"}}]},
    }
    settings = BuildSettings.model_validate({"sources": {"b": source, "a": {"path": "y"}}})
    again = BuildSettings.model_validate(settings.model_dump(mode="json"))
    assert again == settings
    assert list(again.sources) == ["a", "b"]


def test_what_re_parses_a_source_and_what_does_not() -> None:
    one = Source.model_validate({"path": "x", "mapping": QA})
    same = {"path": ("y",), "license": "MIT", "weight": 2.0}
    assert one.model_copy(update=same).reading_digest() == one.reading_digest()
    for change in (
        {"category": "tool"},
        {"limit": 1},
        {"seed": 1},
        {"roles": {"a": "user"}},
        {"sample": 0.5},
    ):
        other = Source.model_validate({"path": "x", "mapping": QA, **change})
        assert other.reading_digest() != one.reading_digest(), change
