"""Settings, files and examples of two builds."""

from __future__ import annotations

import pyarrow as pa
import pytest

from schemas.comparison import group_changes, setting_text
from schemas.manifest import SourceFile
from schemas.settings import BuildSettings
from tasks.comparing import changed_inputs, changed_settings, example_states
from tests.schemas.rows import an_id, table


def test_settings_differ_by_dotted_key() -> None:
    old = BuildSettings().model_dump(mode="json")
    new = BuildSettings.model_validate(
        {"quality": {"min_chars": 5}, "slop": {"patterns": ["a b"]}, "mix": {"shares": {"claude": 1.0}}}
    ).model_dump(mode="json")
    assert changed_settings(old, old) == []
    assert [(c.key, c.before, c.after) for c in changed_settings(old, new)] == [
        ("mix.shares.claude", None, 1.0),
        ("quality.min_chars", 10, 5),
        ("slop.patterns", [], ["a b"]),
    ]


def test_what_differs_of_ranges_and_phases_is_one_line_each() -> None:
    phases = [{"name": "start", "categories": ["tool"], "size": 9}, {"name": "rest"}]
    old = BuildSettings.model_validate({"mix": {"ranges": {"tool": [10, 20], "factual": [80, 90]}}})
    new = BuildSettings.model_validate(
        {"mix": {"ranges": {"tool": [15, 15], "factual": [80, 90], "ethical": [1, 5]}, "phases": phases}}
    )
    changes = changed_settings(old.model_dump(mode="json"), new.model_dump(mode="json"))
    assert [(c.key, setting_text(c.before), setting_text(c.after)) for c in group_changes(changes)] == [
        ("mix.phases", "[]", "start (tool; size 9), rest"),
        ("mix.ranges", "tool 10–20", "ethical 1–5, tool 15"),
    ]
    gone = group_changes(
        changed_settings(new.model_dump(mode="json"), BuildSettings().model_dump(mode="json"))
    )
    assert [setting_text(c.after) for c in gone] == ["[]", "not set"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not set"),
        ("mask", "mask"),
        (True, "true"),
        (["en", "ro"], '["en", "ro"]'),
        ([{"name": "dog", "pattern": "d.g"}], "dog"),
        ([], "[]"),
        ({"a": ["x"], "b": True}, '{"a": ["x"], "b": true}'),
        ({"b": True}, '{"b": true}'),
    ],
)
def test_values_are_shown_as_people_write_them(value: object, text: str) -> None:
    assert setting_text(value) == text


def source(path: str, digest: str) -> SourceFile:
    return SourceFile(
        path=path,
        member=None,
        digest=digest,
        checksum=digest,
        size=7,
        encoding="utf-8",
        format="generic",
        source="x",
    )


def test_files_are_compared_by_content() -> None:
    old = [source("a/one.json", "1"), source("a/two.json", "2"), source("a/two again.json", "2")]
    new = [source("b/moved.json", "1"), source("b/two.json", "2"), source("b/three.json", "3")]
    added, removed = changed_inputs(old, new)
    assert [f.label for f in added] == ["three.json"]
    assert [f.label for f in removed] == ["two again.json"]


def examples(size: int) -> pa.Table:
    return table("examples", *({"example_id": an_id(n), "source": "a"} for n in range(size)))


def test_an_example_is_in_a_split_or_left_out_for_a_reason() -> None:
    twins = [{"example_id": an_id(n), "keeper_id": an_id(0)} for n in (0, 1)]
    places = [(0, 1, "train"), (2, 1, "test"), (0, 2, "train")]  # the first example stands in two phases
    mixture = [{"example_id": an_id(n), "phase": phase, "split": split} for n, phase, split in places]
    reasons = [{"example_id": an_id(3), "reason": "over_range"}]
    found = example_states(
        examples(5), table("clusters", *twins), table("mixture", *mixture), table("left_out", *reasons)
    )
    assert found.sort("row")["state"].to_list() == [
        "train", "left_out:exact_duplicate", "test", "left_out:over_range", "left_out:unexplained",
    ]  # fmt: skip


def test_stages_that_were_not_reached_say_so() -> None:
    assert example_states(examples(1), table("clusters"), None)["state"].to_list() == ["unique"]
    assert example_states(examples(1), None, None)["state"].to_list() == ["assembled"]


def test_the_reason_says_by_which_method_a_copy_was_found_and_what_an_evaluation_asks() -> None:
    rows = [
        {"example_id": an_id(n), "keeper_id": an_id(0), "method": method}
        for n, method in enumerate(("near", "near", "exact", "semantic"))
    ]
    asked = table("contaminated", {"example_id": an_id(4), "evaluation": "eval.txt:1"})
    mixture = table("mixture", {"example_id": an_id(0), "split": "train"})
    found = example_states(examples(5), table("clusters", *rows), mixture, contaminated=asked)
    assert found.sort("row")["state"].to_list() == [
        "train", "left_out:near_duplicate", "left_out:exact_duplicate", "left_out:semantic_duplicate",
        "left_out:contaminated",
    ]  # fmt: skip
