"""Calls of tools that stand in a message, typed or beside the text, become turns; so do their results."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.tasks.parsers.declared.conftest import read_declared
from tests.tasks.parsers.declared.test_mapping import mapped

CALL = '{"name": "weather", "arguments": {"city": "Cluj"}}'
ASKED, ANSWER = {"role": "user", "content": "Rain?"}, {"role": "assistant", "content": "Yes."}
RESULT = {"role": "tool", "content": "rain"}
FUNCTION = {"name": "weather", "arguments": '{"city": "Cluj"}'}
USE = {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Cluj"}}


@pytest.mark.parametrize(
    "call",
    [
        {"content": [{"type": "reasoning", "value": "Hm."}, {"type": "tool_call", "value": CALL}]},
        {"content": [{"type": "function", "function": FUNCTION}]},
        {"content": [USE]},
        {"content": None, "tool_calls": [{"id": "a", "type": "function", "function": FUNCTION}]},
        {"content": "", "function_call": FUNCTION},
    ],
)
@pytest.mark.parametrize("each", ["m", {"path": "m", "role": "role", "text": "content"}])
def test_a_call_is_a_turn_before_its_result(call: Any, each: Any) -> None:
    record = {"m": [ASKED, {"role": "assistant", **call}, RESULT, ANSWER]}
    (turns,) = mapped(record, turns=[{"each": each}])
    assert turns == [("user", "Rain?"), ("tool_call", CALL), ("tool", "rain"), ("assistant", "Yes.")]


def test_what_is_said_beside_a_call_stays_and_results_in_a_message_are_turns() -> None:
    said = {"role": "assistant", "content": [{"type": "text", "text": "I look."}, USE, USE]}
    parts = [{"type": "tool_result", "content": [{"type": "text", "text": "rain"}]}]
    record = {"m": [ASKED, said, {"role": "user", "content": parts}, ANSWER]}
    (turns,) = mapped(record, turns=[{"each": "m"}])
    assert turns[1:4] == [("assistant", "I look."), ("tool_call", f"{CALL}\n{CALL}"), ("tool", "rain")]


def test_calls_that_each_have_an_answer_are_turns_each() -> None:
    calls = [{"id": name, "function": FUNCTION} for name in "ab"]
    record = {
        "m": [ASKED, {"role": "assistant", "content": None, "tool_calls": calls}, RESULT, RESULT, ANSWER]
    }
    (turns,) = mapped(record, turns=[{"each": "m"}])
    assert [role for role, _ in turns] == ["user", "tool_call", "tool_call", "tool", "tool", "assistant"]


def test_a_public_set_keeps_all_its_calls(shared: Path) -> None:
    path = shared / "data/public/tool_api/reason_tool_use/reason_tool_use_demo_50.jsonl"
    found = read_declared([path], mapping={"turns": [{"each": "messages"}]})
    roles = [role for role, _ in found.texts]
    assert (roles.count("tool_call"), found.set_aside) == (roles.count("tool"), {}) == (40, {})
    assert all(before == "tool_call" for before, role in pairwise(roles) if role == "tool")
