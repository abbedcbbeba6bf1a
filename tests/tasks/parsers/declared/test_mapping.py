"""The mapping language, one piece at a time: records in, turns out; what is left out has its reason."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import InputError
from schemas.settings.sources import Source
from tasks.parsers.declared.paths import MISSING, getter
from tasks.parsers.declared.recipe import NOT_A_TIME, WITHOUT_TIME, Left, Recipe
from tests.tasks.parsers.declared.conftest import QA

USER, ASSISTANT = ("user", "q"), ("assistant", "a")


def mapped(record: Any, **mapping: Any) -> list[Any]:
    """The turns of every conversation of a record, or why there is none."""
    source = Source.model_validate({"path": "x", "mapping": mapping})
    recipe = Recipe("s", source)
    return [
        each.reason if isinstance(each, Left) else [(m.role, m.content) for m in each.messages]
        for exploded in recipe.exploded(record)
        for each in ([exploded] if isinstance(exploded, Left) else recipe.conversations(exploded))
    ]


TREE = {"t": "q", "r": "prompter", "replies": [
    {"t": "worse", "r": "assistant", "rank": 1, "replies": []},
    {"t": "a", "r": "assistant", "rank": 0, "replies": [{"t": "and?", "r": "prompter"}]},
]}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "turns", "conversations"),
    [
        ({"x": "q", "y": "a"}, [{"user": "x"}, {"assistant": "y"}], [[USER, ASSISTANT]]),
        ({"x": {"y": ["n", {"z": "q"}]}, "a.b": "a"}, [{"user": "x.y[1].z"}, {"assistant": "a.b"}],
         [[USER, ASSISTANT]]),
        ({"my q": "q", "as": ["b", "a"]}, [{"user": "my q"}, {"assistant": "as[-1]"}], [[USER, ASSISTANT]]),
        ({"x": "q", "more": "", "y": "a"}, [{"user": {"join": ["x", "more"]}}, {"assistant": "y"}],
         [[USER, ASSISTANT]]),
        ({"x": "q", "more": "m", "y": 3.0}, [{"user": {"join": ["x", "more"], "separator": " "}}, {"assistant": "y"}],
         [[("user", "q m"), ("assistant", "3")]]),
        ({"o": ["A", "B"], "y": "a"}, [{"user": {"join": "o", "separator": "/"}}, {"assistant": "y"}],
         [[("user", "A/B"), ASSISTANT]]),
        ({"x": "it", "y": "a"}, [{"user": {"template": "What is {{{x}}}?"}}, {"assistant": "y"}],
         [[("user", "What is {it}?"), ASSISTANT]]),
        ({"y": "a"}, [{"user": {"constant": "q"}}, {"assistant": "y"}], [[USER, ASSISTANT]]),
        ({"b": "a"}, [{"user": {"constant": "q"}}, {"assistant": {"first_of": ["a", "b"]}}], [[USER, ASSISTANT]]),
        ({"l": 1}, [{"user": {"constant": "q"}}, {"assistant": {"path": "l", "values": {"1": "a"}}}],
         [[USER, ASSISTANT]]),
        ({"l": True}, [{"user": {"constant": "q"}}, {"assistant": {"path": "l", "values": {"true": "a"}}}],
         [[USER, ASSISTANT]]),
        ({"h": "<p>q &amp; r</p>", "y": "x #### a"},
         [{"user": {"path": "h", "html": True}}, {"assistant": {"path": "y", "replace": {"^x #### ": ""}}}],
         [[("user", "q & r"), ASSISTANT]]),
        ({"f": {"n": [1]}, "y": "a"}, [{"user": {"path": "f", "json_text": True}}, {"assistant": "y"}],
         [[("user", '{"n": [1]}'), ASSISTANT]]),
        ({"m": [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]}, [{"each": "m"}], [[USER, ASSISTANT]]),
        ({"m": [{"who": "Pat", "said": "q"}, {"who": "Doc", "said": "a"}]},
         [{"each": {"path": "m", "role": "who", "text": "said"}}], [["unknown"]]),
        ({"h": ["q0", "a0", "q"], "y": "a"},
         [{"each": {"path": "h", "alternate": ["user", "assistant"]}}, {"assistant": "y"}],
         [[("user", "q0"), ("assistant", "a0"), USER, ASSISTANT]]),
        ({"h": [["q0", "a0"], ["q", "a"]]}, [{"each": {"path": "h", "alternate": ["user", "assistant"]}}],
         [[("user", "q0"), ("assistant", "a0"), USER, ASSISTANT]]),
        ({"h": '[{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]'}, [{"each": "h"}],
         [[USER, ASSISTANT]]),
        ({"t": "\n\nHuman: q\n\nAssistant: a"},
         [{"text_split": {"text": "t", "markers": {"\n\nHuman:": "user", "\n\nAssistant:": "assistant"}}}],
         [[USER, ASSISTANT]]),
        ({"t": "q</s>a</s>more"}, [{"text_split": {"text": "t", "separator": "</s>", "names": ["user", "assistant"]}}],
         [[USER, ASSISTANT, ("user", "more")]]),
        ({"t": "[user] q [bot] a"},
         [{"text_split": {"text": "t", "pattern": r"\[(?P<role>\w+)\] (?P<text>[^\[]+)"}}], [[USER, ASSISTANT]]),
        (TREE, [{"tree": {"text": "t", "role": "r", "rank": "rank"}}], [[USER, ASSISTANT, ("user", "and?")]]),
        (TREE, [{"tree": {"text": "t", "role": "r", "branches": "all"}}],
         [[USER, ("assistant", "worse")], [USER, ASSISTANT, ("user", "and?")]]),
        ({"q": "q", "y": "a", "s": None}, [{"system": "s"}, {"user": "q"}, {"assistant": "y"}], [[USER, ASSISTANT]]),
        ({"q": "q", "y": "a"}, [{"user": "none", "optional": True}, {"user": "q"}, {"assistant": "y"}],
         [[USER, ASSISTANT]]),
    ],
)  # fmt: skip
def test_turns(record: Any, turns: Any, conversations: Any) -> None:
    if conversations == [["unknown"]]:
        assert mapped(record, turns=turns) == ["no_reply"]
        source = Source.model_validate(
            {"path": "x", "roles": {"pat": "user", "Doc": "assistant"}, "mapping": {"turns": turns}}
        )
        (one,) = Recipe("s", source).conversations(record)
        assert not isinstance(one, Left)
        assert [(m.role, m.content) for m in one.messages] == [USER, ASSISTANT]
        return
    assert mapped(record, turns=turns) == conversations


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"q": "q"}, "missing:a"),
        ({"q": "q", "a": None}, "empty:a"),
        ({"q": " \n", "a": "a"}, "empty:q"),
        ({"q": ["q"], "a": "a"}, "list_instead_of_text:q"),
        ({"q": {"x": 1}, "a": "a"}, "object_instead_of_text:q"),
        ({"q": float("nan"), "a": "a"}, "empty:q"),
        ({"q": [{"type": "image_url", "url": "x"}], "a": "a"}, "no_text_part:image_url"),
        ({"q": [{"type": "a secret of Ana's"}], "a": "a"}, "no_text_part:other"),
        ({"q": [{"type": {"secret": 1}}], "a": "a"}, "no_text_part:other"),
    ],
)  # fmt: skip
def test_what_is_left_out_has_its_reason(record: Any, reason: str) -> None:
    assert mapped(record, turns=[{"user": "q"}, {"assistant": "a"}]) == [reason]


def test_explode_keeps_what_stands_around() -> None:
    record = {
        "t": "T",
        "ps": [{"c": "C", "qs": [{"q": "1", "a": "x"}, {"q": "2", "a": "y"}]}, {"c": "D", "qs": []}],
    }
    turns = [{"user": {"template": "{t} {ps.c} {ps.qs.q} {@key}"}}, {"assistant": "ps.qs.a"}]
    assert mapped(record, explode=["ps", "ps.qs"], turns=turns) == [
        [("user", "T C 1 0"), ("assistant", "x")],
        [("user", "T C 2 1"), ("assistant", "y")],
        "empty:ps.qs",
    ]
    keyed = {"a": {"q": "Q", "r": "R"}, "b": {"q": "S", "r": "T"}}
    asked = [{"user": {"template": "{@key}: {q}"}}, {"assistant": "r"}]
    assert [each[0][1] for each in mapped(keyed, explode="*", turns=asked)] == ["a: Q", "b: S"]
    beside = {"q": ["1", "2"], "a": ["x", "y"]}
    side = [{"user": "q"}, {"assistant": "a[@key]"}]
    assert [each[1][1] for each in mapped(beside, explode="q", turns=side)] == ["x", "y"]


def test_fields_are_cut_and_made_in_order() -> None:
    record = {"code": "###Instruction: q\n###Output: a ###end"}
    split = {"text": "code", "markers": {"###Instruction:": "asked", "###Output:": "told", "###end": "rest"}}
    fields = {"whole": {"template": "{asked}!"}}
    found = mapped(record, text_split=split, fields=fields, turns=[{"user": "whole"}, {"assistant": "told"}])
    assert found == [[("user", "q!"), ASSISTANT]]
    assert mapped({"code": "none"}, text_split=split, turns=[{"user": "asked"}, {"assistant": "told"}]) == [
        "no_marker_found"
    ]


def test_sides_that_are_not_taken_are_counted(run: Callable[..., SimpleNamespace]) -> None:
    mapping = {"turns": [{"user": "q"}, {"assistant": "good"}], "aside": {"rejected_reply": "bad"}}
    found = run([{"q": "q", "good": "a", "bad": "b"}, {"q": "q", "good": "a", "bad": ""}], mapping=mapping)
    assert found.set_aside == {"rejected_reply": 1}


@pytest.mark.parametrize(
    ("condition", "kept"),
    [
        ({"equals": 2}, [2]), ({"equals": "2"}, []), ({"differs": 2}, [1, 3]), ({"one_of": [1, 3]}, [1, 3]),
        ({"none_of": [1, 3]}, [2]), ({"at_least": 2}, [2, 3]), ({"at_most": 2}, [1, 2]), ({"above": 2}, [3]),
        ({"below": 2}, [1]), ({"present": True}, [1, 2, 3]),
    ],
)  # fmt: skip
def test_conditions(run: Callable[..., SimpleNamespace], condition: Any, kept: list[int]) -> None:
    records = [{"q": "question", "a": f"answer {n}", "n": n} for n in (1, 2, 3)]
    where = {"column": "n", **condition}
    if not kept:
        with pytest.raises(InputError, match=r"none of the 3 records becomes a conversation \(where:n 3\)"):
            run(records, mapping=QA, filters={"where": where})
        return
    found = run(records, mapping=QA, filters={"where": where})
    assert [text for role, text in found.texts if role == "assistant"] == [f"answer {n}" for n in kept]
    assert found.tally.get("set_aside:where:n", 0) == 3 - len(kept)
    as_text = [{**record, "n": str(record["n"])} for record in records]
    if "present" not in condition:
        assert run(as_text, mapping=QA, filters={"where": where}).texts == found.texts


def test_lengths_languages_sample_and_limit(run: Callable[..., SimpleNamespace]) -> None:
    english = "This is an evening by the old hearth, and the whole family came to talk about it."
    romanian = "Noaptea trecută am cules mere cu Ana și am râs până dimineața lângă vatra casei."
    records = [{"q": text, "a": f"{text} {n}"} for n in range(40) for text in (english, romanian)]
    found = run([*records, {"q": "x", "a": "y"}], mapping=QA, filters={"languages": ["ro"], "min_chars": 10})
    assert (
        found.tally["kept"],
        found.tally["set_aside:language:en"],
        found.tally["set_aside:below_min_chars"],
    ) == (40, 40, 1)
    assert run(records, mapping=QA, filters={"max_chars": 100, "min_chars": 3}, expect=InputError) is not None
    half = run(records, mapping=QA, sample=0.5)
    assert half.tally["kept"] + half.tally["set_aside:not_sampled"] == 80
    assert 20 < half.tally["kept"] < 60
    assert (
        run(records[:40], mapping=QA, sample=0.5).texts
        == half.texts[: len(run(records[:40], mapping=QA, sample=0.5).texts)]
    )
    first = run(records, mapping=QA, limit=3)
    assert [text for role, text in first.texts if role == "user"] == [english, romanian, english]
    assert any("limit of the source was reached" in line for line in first.imports[0]["warnings"])


def test_ids_tell_duplicates_and_ratings_travel(run: Callable[..., SimpleNamespace]) -> None:
    records = [
        {"q": "q", "a": "a", "i": 1, "r": 4.5},
        {"q": "q", "a": "b", "i": 1, "r": None},
        {"q": "q", "a": "a", "i": 2, "r": "x"},
    ]
    found = run(records, mapping={**QA, "id": "i", "rating": "r"}, category="factual")
    assert (found.tally["kept"], found.tally["set_aside:duplicate"]) == (2, 1)
    assert [row["rating"] for row in found.messages] == [None, "4.5", None, None]
    assert {row["category"] for row in found.conversations} == {"factual"}
    assert {row["source"] for row in found.conversations} == {"declared-one"}


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("2024-01-31", "2024-01-31T00:00:00"), ("20240131", "2024-01-31T00:00:00"),
        (" 2024-01-31 12:00:00+02:00 ", "2024-01-31T10:00:00"), ("2024-01-31T12:00:00.5Z", "2024-01-31T12:00:00.5"),
        (1706702400, "2024-01-31T12:00:00"), (1706702400.5, "2024-01-31T12:00:00.5"),
        ("1706702400", "2024-01-31T12:00:00"), (1706702400000, "2024-01-31T12:00:00"),
        (2024, None), ("17", None), (17.123456789, None), ("yesterday", None), (True, None), ("", None), (None, None),
        (-1706702400, None), (1e300, None),
    ],
)  # fmt: skip
def test_the_time_of_a_conversation(
    run: Callable[..., SimpleNamespace], said: Any, moment: str | None
) -> None:
    other = {"q": "q", "a": "b", "t": "2025-01-01"}
    mapping = {**QA, "created_at": "t"}
    found = run([{"q": "q", "a": "a", "t": said}, other], mapping=mapping)
    assert [each["created_at"] for each in found.conversations] == [
        moment and datetime.fromisoformat(moment).replace(tzinfo=UTC),
        datetime(2025, 1, 1, tzinfo=UTC),
    ]
    reason = WITHOUT_TIME if said in (None, "") else NOT_A_TIME
    assert found.imports[0]["warnings"] == ([] if moment else [f"{reason}: 1"])


def test_a_time_in_a_parquet_column_and_behind_an_explode(run: Callable[..., SimpleNamespace]) -> None:
    moment = datetime(2024, 1, 31, 12, tzinfo=UTC)
    sink = io.BytesIO()
    pq.write_table(pa.table({"text": ["said"], "t": pa.array([moment], pa.timestamp("us", "UTC"))}), sink)
    found = run(sink.getvalue(), name="x.parquet", narrative={"created_at": "t"})
    assert found.conversations[0]["created_at"] == moment
    rows = [{"q": "q", "a": "a", "t": ""}, {"q": "q", "a": "b", "t": "2024-01-31T12:00:00Z"}]
    turns = [{"user": "l.q"}, {"assistant": "l.a"}]
    found = run([{"l": rows}], mapping={"explode": "l", "created_at": "l.t", "turns": turns})
    assert [each["created_at"] for each in found.conversations] == [None, moment]


def test_a_column_without_any_time_is_refused(run: Callable[..., SimpleNamespace]) -> None:
    mapping = {**QA, "created_at": "q"}
    told = run([{"q": "q", "a": "a"}] * 3, mapping=mapping, expect=InputError)
    assert "created_at says no time in any of the 3 records (source declared-one, " in told
    told = run([{"q": "q", "a": "a"}], mapping={**QA, "created_at": "when"}, expect=InputError)
    assert "no record has the column 'when'" in told


def test_groups_of_records_that_follow_one_another(run: Callable[..., SimpleNamespace]) -> None:
    said = [
        ("1", "user", "q"),
        ("1", "assistant", "a"),
        ("2", "user", "q"),
        ("2", "assistant", "b"),
        ("2", "user", "c"),
    ]
    rows = [{"c": c, "who": who, "said": text} for c, who, text in said]
    turns = [{"each": {"path": "rows", "role": "who", "text": "said"}}]
    found = run(rows, mapping={"group": "c", "turns": turns})
    assert [row["messages"] for row in found.conversations] == [2, 3]


def test_narratives(run: Callable[..., SimpleNamespace]) -> None:
    stories = [{"story": f"On day {n} we walked to the mill."} for n in range(30)]
    prompts = ["Tell me of a day.", "What happened then?"]
    told = run(stories, narrative={"text": "story", "prompts": prompts}, category="creative")
    asked = [text for role, text in told.texts if role == "user"]
    assert set(asked) == set(prompts)
    assert [row["messages"] for row in told.conversations] == [2] * 30
    again = run(stories[5:], narrative={"text": "story", "prompts": prompts})
    assert [text for role, text in again.texts if role == "user"] == asked[5:], (
        "drawn by content, not by place"
    )
    other = run(stories, narrative={"text": "story", "prompts": prompts}, seed=7)
    assert [text for role, text in other.texts if role == "user"] != asked
    alone = run(stories, narrative={"text": "story", "form": "text"})
    assert {role for role, _ in alone.texts} == {"assistant"}
    assert all(row["flags"] == ["plain_text"] for row in alone.conversations)


def test_paths_of_odd_names() -> None:
    record = {"a.b": 1, "#id": 2, "": 3, "x": {"y z": [[4]]}, "l": [{"k": 5}, {"k": 6}, {}]}
    for path, value in [
        ("a.b", 1),
        ("#id", 2),
        ("", 3),
        ('x."y z"[0][0]', 4),
        ("x.y z[0][0]", 4),
        ("l[*].k", [5, 6]),
    ]:
        assert getter(path)(record) == value, path
    assert getter("l[7].k")(record) is MISSING
    assert getter("a.b.c")(record) is MISSING


@settings(derandomize=True, deadline=None)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
                    max_leaves=12))  # fmt: skip
def test_any_record_gives_conversations_or_reasons(value: Any) -> None:
    record = value if isinstance(value, dict) else {"q": value, "a": value, "l": value}
    for turns in ([{"user": "q"}, {"assistant": "a"}], [{"each": "l"}], [{"tree": {"path": "l"}}]):
        for found in mapped(record, explode=["l"], turns=turns) + mapped(record, turns=turns):
            assert isinstance(found, str) or all(text.strip() for _, text in found)


def test_two_files_of_other_shapes_are_both_told(
    tmp_path: Path, run_files: Callable[..., SimpleNamespace]
) -> None:
    (tmp_path / "a.jsonl").write_text(json.dumps({"q": "q", "a": "a"}) + "\n{broken\n", "utf-8")
    (tmp_path / "b.csv").write_text("q,text\nq,b\n", "utf-8")
    found = run_files([tmp_path / "a.jsonl", tmp_path / "b.csv"], mapping=QA)
    assert (found.tally["kept"], found.tally["failed"], found.tally["set_aside:missing:a"]) == (1, 1, 1)
    warned = [line for row in found.imports for line in row["warnings"]]
    assert "left out, missing:a: 1, first at line 2" in warned


def test_who_speaks_stands_beside_the_replies_alone(run: Callable[..., SimpleNamespace]) -> None:
    rows = [{"q": "q", "a": "a", "who": "Sora", "much": 0.9}, {"q": "p", "a": "b", "who": "", "much": None}]
    found = run(rows, mapping={**QA, "author": "who", "intensity": "much"})
    assert [(each["role"], each["author"], each["intensity"]) for each in found.messages] == [
        ("user", None, None),
        ("assistant", "Sora", "0.9"),
        ("user", None, None),
        ("assistant", None, None),
    ]
    story = run([{"text": "told"}], narrative={"author": {"constant": "Ion Creangă"}, "prompts": ["Tell."]})
    assert [(each["author"], each["content"]) for each in story.messages] == [
        (None, "Tell."),
        ("Ion Creangă", "told"),
    ]


def test_a_column_of_authors_that_is_not_there_is_refused(run: Callable[..., SimpleNamespace]) -> None:
    for name in ("author", "intensity"):
        told = run([{"q": "q", "a": "a"}], mapping={**QA, name: "who"}, expect=InputError)
        assert "no record has the column 'who'" in told
