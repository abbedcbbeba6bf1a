"""Shapes of records that other trainers read: OpenAI, ShareGPT, Alpaca, TRL, and pairs.

A shape turns the messages of one example into records, and counts by reason what it cannot say. Sources: OpenAI's guide
to fine-tuning (`weight`, `tool_calls`), LLaMA-Factory's data/README (ShareGPT and Alpaca with `system` and `history`),
Axolotl's (`weight` on a ShareGPT turn), TRL's dataset formats (conversational prompt and completion).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Messages = Sequence[Mapping[str, Any]]
Record = dict[str, Any]
#: (messages, conversation id, what could not be said) -> records.
Shape = Callable[[Messages, str, Counter[str]], Iterator[Record]]

_FROM = {
    "system": "system",
    "user": "human",
    "assistant": "gpt",
    "tool_call": "function_call",
    "tool": "observation",
}
_GENERATED = ("assistant", "tool_call")


def pairs(messages: Messages, conversation_id: str, left_out: Counter[str]) -> Iterator[Record]:
    """{instruction, response, conversation_id} for each reply that is trained on and has a question before it."""
    question: str | None = None
    waiting: list[str] = []  # the reason for a question that stands in no pair yet
    for message in messages:
        if message["role"] == "user":
            left_out.update(waiting)
            question, waiting = message["content"], ["questions without a reply"]
        elif message["role"] == "assistant" and not message["trainable"]:
            left_out["masked replies"] += 1
        elif message["role"] == "assistant" and question is None:
            left_out["replies without a question"] += 1
        elif message["role"] == "assistant":
            waiting = []
            yield {
                "instruction": question,
                "response": message["content"],
                "conversation_id": conversation_id,
            }
        else:
            left_out[f"{message['role']} turns"] += 1
    left_out.update(waiting)


def as_messages(messages: Messages, conversation_id: str, left_out: Counter[str]) -> Iterator[Record]:
    """{messages: [{role, content}]}, all turns under our own role names; `weight: 0` on a reply not to be learned."""
    yield {
        "messages": [
            {"role": message["role"], "content": message["content"]} | _weight(message)
            for message in messages
        ]
    }


def openai(messages: Messages, conversation_id: str, left_out: Counter[str]) -> Iterator[Record]:
    """The same as OpenAI's fine-tuning reads it: a call is an assistant's `tool_calls`, its result answers by id.

    What a call says stands whole in its `arguments`, since we have it as a text. A result without a call is left out.
    """
    turns = list(_openai_turns(messages, left_out))
    if turns:
        yield {"messages": turns}


def sharegpt(messages: Messages, conversation_id: str, left_out: Counter[str]) -> Iterator[Record]:
    """{system, conversations: [{from, value}]}; `weight: 0` on a reply not to be learned, which Axolotl heeds."""
    system, rest = _opening(messages)
    turns = [
        {"from": _FROM[message["role"]], "value": message["content"]} | _weight(message) for message in rest
    ]
    if turns:
        yield ({"system": system} if system is not None else {}) | {"conversations": turns}
    elif system is not None:
        left_out["system turns"] += 1


def alpaca(messages: Messages, conversation_id: str, left_out: Counter[str]) -> Iterator[Record]:
    """{instruction, input, output, system, history}: the last round, and the rounds before it.

    Every reply of such a record is learned, and a round is one question and one reply. So the record ends before the
    first reply that must not be learned, or turn of a tool or of the system; what comes from there on is counted.
    """
    system, rest = _opening(messages)
    rounds: list[list[str]] = []
    question: str | None = None
    for number, message in enumerate(rest):
        if message["role"] == "assistant" and question is None and not rounds:
            left_out["replies without a question"] += 1  # an opening greeting
        elif message["role"] == "user" and question is None:
            question = message["content"]
        elif message["role"] == "assistant" and question is not None and message["trainable"]:
            rounds.append([question, message["content"]])
            question = None
        else:
            left_out.update(_unsayable(rest[number:]))
            break
    if question is not None:
        left_out["questions without a reply"] += 1
    if not rounds:
        left_out["conversations"] += 1
        if system is not None:
            left_out["system turns"] += 1
        return
    record: Record = {"instruction": rounds[-1][0], "input": "", "output": rounds[-1][1]}
    if system is not None:
        record["system"] = system
    yield record | ({"history": rounds[:-1]} if len(rounds) > 1 else {})


def trl(messages: Messages, conversation_id: str, left_out: Counter[str]) -> Iterator[Record]:
    """{prompt: [...], completion: [...]} for each reply that is trained on; what came before it is the prompt.

    Trainers learn the completion alone, so a reply that must not be learned stands in prompts only, and so does any
    call of a tool. What comes after the last reply that is learned stands nowhere, and is counted.
    """
    turns: list[Record] = []
    said = 0  # so many turns stand in a record
    calls: list[str] = []  # the reason for calls to be learned that do not yet
    for turn in _openai_turns(messages, left_out):
        learned = turn["role"] == "assistant" and turn.pop("weight", 1)
        if learned and "tool_calls" not in turn:
            left_out.update(calls)
            yield {"prompt": list(turns), "completion": [turn]}
            said, calls = len(turns) + 1, []
        elif learned:
            calls.append("learned calls in prompts only")
        turns.append(turn)
    left_out.update(_unsaid(turn) for turn in turns[said:])
    if not said:
        left_out["conversations"] += 1


def _openai_turns(messages: Messages, left_out: Counter[str]) -> Iterator[Record]:
    waiting: list[str] = []
    for number, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role == "tool_call":
            name = f"call_{number}"
            waiting.append(name)
            function = {"name": message["author"] or "tool", "arguments": content}
            call = {"id": name, "type": "function", "function": function}
            yield {"role": "assistant", "tool_calls": [call]} | _weight(message)
        elif role == "tool" and not waiting:
            left_out["tool results without a call"] += 1
        elif role == "tool":
            yield {"role": "tool", "tool_call_id": waiting.pop(0), "content": content}
        else:
            yield {"role": role, "content": content} | _weight(message)


def _unsaid(turn: Record) -> str:
    """The reason for a turn of OpenAI's shape that no completion follows."""
    if turn["role"] != "assistant":
        return f"{turn['role']} turns"
    return "tool_call turns" if "tool_calls" in turn else "masked replies"


def _weight(message: Mapping[str, Any]) -> Record:
    return {"weight": 0} if message["role"] in _GENERATED and not message["trainable"] else {}


def _opening(messages: Messages) -> tuple[str | None, Messages]:
    """The system's opening turn, where there is one, and the rest."""
    if messages and messages[0]["role"] == "system":
        return messages[0]["content"], messages[1:]
    return None, messages


def _unsayable(rest: Messages) -> Iterator[str]:
    """The reason for each turn from the first one on that a shape has no place for."""
    for message in rest:
        if message["role"] == "assistant":
            yield "replies after a turn that cannot be said" if message["trainable"] else "masked replies"
        else:
            yield f"{message['role']} turns"


#: The shapes by the names of `vatra export --format`, all but those that are written as Parquet.
SHAPES: dict[str, Shape] = {
    "jsonl": pairs,
    "json": pairs,
    "messages": as_messages,
    "openai": openai,
    "sharegpt": sharegpt,
    "alpaca": alpaca,
    "trl": trl,
}
