"""Shapes: what is learned, what is read back by our own parser, and what is counted because it cannot be said."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.settings import ParseSettings
from tasks.parsers.generic import GenericParser
from tasks.shaping import SHAPES


def line(role: str, content: str, trainable: bool = False, author: str | None = None) -> dict[str, Any]:
    return {"role": role, "author": author, "intensity": None, "content": content, "trainable": trainable}


def shaped(form: str, messages: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    left_out: Counter[str] = Counter()
    return list(SHAPES[form](messages, "c", left_out)), dict(left_out)


def read_back(record: dict[str, Any]) -> list[tuple[str, str]]:
    parsed = GenericParser().parse(json.loads(json.dumps(record)), ParseSettings())
    assert not parsed.set_aside
    return [(message.role, message.content) for message in parsed.messages]


SYSTEM = line("system", "Be kind.")
TALK = [
    line("user", "Cine ești?"),
    line("assistant", "O vatră 🔥", True),
    line("user", "Și?"),
    line("assistant", "Atât.\nDoar atât.", True),
]
MASKED = [
    *TALK,
    line("user", "three"),
    line("assistant", "bad"),
    line("user", "four"),
    line("assistant", "d", True),
]
TOOLS = [
    line("user", "q"), line("tool_call", '{"city": "Cluj"}', author="weather"), line("tool", "12 °C"),
    line("assistant", "Cold.", True),
]  # fmt: skip


@pytest.mark.parametrize("form", ["messages", "openai", "sharegpt", "alpaca"])
@pytest.mark.parametrize("messages", [TALK, [SYSTEM, *TALK], TALK[:2]], ids=["talk", "system", "one round"])
def test_a_plain_conversation_is_one_record_and_nothing_is_lost(
    form: str, messages: list[dict[str, Any]]
) -> None:
    records, left_out = shaped(form, messages)
    assert len(records) == 1
    assert left_out == {}
    assert read_back(records[0]) == [(m["role"], m["content"]) for m in messages]


def test_trl_has_a_record_for_each_reply_with_all_before_it() -> None:
    records, left_out = shaped("trl", [SYSTEM, *TALK])
    assert left_out == {}
    assert [read_back(record) for record in records] == [
        [(m["role"], m["content"]) for m in [SYSTEM, *TALK][:end]] for end in (3, 5)
    ]
    assert records[1]["completion"] == [{"role": "assistant", "content": "Atât.\nDoar atât."}]


def test_a_masked_reply_weighs_nothing_in_the_shapes_that_know_weights() -> None:
    for form, key in (("messages", "messages"), ("openai", "messages"), ("sharegpt", "conversations")):
        (record,), left_out = shaped(form, MASKED)
        assert [turn.get("weight", 1) for turn in record[key]] == [1, 1, 1, 1, 1, 0, 1, 1]
        assert left_out == {}


def test_a_masked_reply_is_only_ever_a_prompt_for_trl() -> None:
    records, _ = shaped("trl", MASKED)
    assert [record["completion"][0]["content"] for record in records] == [
        "O vatră 🔥",
        "Atât.\nDoar atât.",
        "d",
    ]
    assert {"role": "assistant", "content": "bad"} in records[-1]["prompt"]


def test_alpaca_ends_before_a_masked_reply_and_counts_what_follows() -> None:
    (record,), left_out = shaped("alpaca", MASKED)
    assert read_back(record) == [(m["role"], m["content"]) for m in TALK]
    assert left_out == {
        "masked replies": 1, "user turns": 1, "replies after a turn that cannot be said": 1,
        "questions without a reply": 1,
    }  # fmt: skip


def test_alpaca_leaves_a_greeting_out_and_counts_it() -> None:
    (record,), left_out = shaped("alpaca", [line("assistant", "Salut!"), *TALK])
    assert read_back(record) == [(m["role"], m["content"]) for m in TALK]
    assert left_out == {"replies without a question": 1}


def test_a_conversation_that_alpaca_cannot_say_at_all_is_counted() -> None:
    assert shaped("alpaca", [SYSTEM, line("user", "q"), line("assistant", "no")]) == (
        [],
        {"masked replies": 1, "questions without a reply": 1, "conversations": 1, "system turns": 1},
    )


def test_a_later_system_turn_is_said_by_sharegpt_and_counted_by_alpaca() -> None:
    later = [*TALK[:2], SYSTEM, *TALK[2:]]
    (record,), _ = shaped("sharegpt", later)
    assert read_back(record) == [(m["role"], m["content"]) for m in later]
    (record,), left_out = shaped("alpaca", later)
    assert left_out == {
        "system turns": 1,
        "user turns": 1,
        "replies after a turn that cannot be said": 1,
    }
    assert record["output"] == "O vatră 🔥"


def test_tools_in_every_shape() -> None:
    (record,), left_out = shaped("openai", TOOLS)
    call, result = record["messages"][1:3]
    assert call["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "Cluj"}'}
    assert result == {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "12 °C"}
    assert left_out == {}
    (record,), _ = shaped("sharegpt", TOOLS)
    assert [turn["from"] for turn in record["conversations"]] == [
        "human",
        "function_call",
        "observation",
        "gpt",
    ]
    assert read_back(record) == [(m["role"], m["content"]) for m in TOOLS]
    (record,), _ = shaped("trl", TOOLS)
    assert [turn["role"] for turn in record["prompt"]] == ["user", "assistant", "tool"]
    records, left_out = shaped("alpaca", TOOLS)
    assert records == []
    assert left_out["tool turns"] == left_out["tool_call turns"] == 1
    assert shaped("openai", TOOLS[2:])[1] == {"tool results without a call": 1}


def test_pairs_are_the_replies_that_are_trained_on() -> None:
    messages = [
        line("assistant", "greeting", True),
        line("user", "one"),
        line("assistant", "first", True),
        line("assistant", "second", True),
        line("user", "two"),
        line("assistant", "masked"),
        line("tool", "looked up"),
        line("assistant", "third", True),
    ]
    records, left_out = shaped("jsonl", messages)
    assert [(p["instruction"], p["response"]) for p in records] == [
        ("one", "first"),
        ("one", "second"),
        ("two", "third"),
    ]
    assert left_out == {"replies without a question": 1, "masked replies": 1, "tool turns": 1}


#: Reasons that count something else than a turn that stands nowhere.
NO_TURNS = ("conversations", "learned calls in prompts only")
turns = st.lists(
    st.builds(
        line,
        st.sampled_from(["system", "user", "assistant", "tool_call", "tool"]),
        st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1, max_size=5),
        st.booleans(),
    ),
    min_size=1,
    max_size=8,
)


def test_trl_counts_what_no_completion_follows() -> None:
    tail = [line("user", "three"), line("assistant", "bad")]
    records, left_out = shaped("trl", [*TALK, *tail])
    assert len(records) == 2
    assert left_out == {"user turns": 1, "masked replies": 1}
    call = [line("user", "q"), line("tool_call", "{}", True), line("tool", "12 °C")]
    assert shaped("trl", call) == (
        [],
        {"user turns": 1, "tool_call turns": 1, "tool turns": 1, "conversations": 1},
    )
    (record,), left_out = shaped("trl", [*call, line("assistant", "Cold.", True)])
    assert len(record["prompt"]) == 3
    assert left_out == {"learned calls in prompts only": 1}


def test_pairs_count_the_questions_that_stand_in_none() -> None:
    asked = [
        line("user", "zero"),
        *TALK,
        line("user", "three"),
        line("assistant", "bad"),
        line("user", "four"),
    ]
    records, left_out = shaped("jsonl", asked)
    assert [pair["instruction"] for pair in records] == ["Cine ești?", "Și?"]
    assert left_out == {"questions without a reply": 3, "masked replies": 1}


@given(turns)
def test_whatever_a_shape_does_not_write_it_counts(messages: list[dict[str, Any]]) -> None:
    messages = [{**m, "content": f"{m['content']} {number}"} for number, m in enumerate(messages)]
    replies = [m for m in messages if m["role"] == "assistant"]
    learned = [m["content"] for m in replies if m["trainable"]]
    records, left_out = shaped("trl", messages)
    assert [record["completion"][0]["content"] for record in records] == learned
    longest = len(records[-1]["prompt"]) + 1 if records else 0
    assert longest + sum(left_out[reason] for reason in left_out if reason not in NO_TURNS) == len(messages)
    pairs, left_out = shaped("jsonl", messages)
    texts = {pair[side] for pair in pairs for side in ("instruction", "response")}
    assert len(texts) + sum(left_out.values()) == len(messages)
    records, left_out = shaped("alpaca", messages)
    written = sum(len(read_back(record)) for record in records)
    assert written + sum(n for reason, n in left_out.items() if reason != "conversations") == len(messages)
    said = [text for record in records for role, text in read_back(record) if role == "assistant"]
    assert not Counter(said) - Counter(learned)


@given(turns)
def test_sharegpt_says_everything_but_a_system_turn_alone(messages: list[dict[str, Any]]) -> None:
    records, left_out = shaped("sharegpt", messages)
    if records:
        assert read_back(records[0]) == [(m["role"], m["content"]) for m in messages]
        assert left_out == {}
    else:
        assert [m["role"] for m in messages] == ["system"]
        assert left_out == {"system turns": 1}
