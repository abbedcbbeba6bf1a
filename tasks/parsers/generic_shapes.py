"""Shapes of training records: which fields of a record are its turns, and which say something beside them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tasks.parsers.contract import ROLE_NAMES, dictionaries, unknown_type

#: Lists of messages, by the key that holds them; the chosen side of a preference counts.
_LISTS = ("messages", "conversations", "conversation", "chosen_messages", "chosen")
_ASKS = ("instruction", "prompt", "question", "query")
#: Question and answer, by their keys.
_PAIRS = (
    ("instruction", "output"), ("instruction", "response"), ("prompt", "completion"), ("prompt", "response"),
    ("question", "answer"), ("query", "response"), *((ask, "chosen") for ask in _ASKS),
)  # fmt: skip
_SYSTEM = ("system", "system_prompt")
_NO_INPUT = ("<noinput>", "no input", "n/a", "none")
_NOTHING: tuple[object, ...] = (None, "", [], {})
_ROLE_KEYS = ("role", "from")
_TEXT_KEYS = ("content", "value", "text")
_SAYING_KEYS = frozenset((*_TEXT_KEYS, "tool_calls"))
_TEXT_PARTS = ("text", "input_text", "output_text")
_OTHER_PARTS = {
    "tool_call": "tool_call", "tool_calls": "tool_call", "tool_use": "tool_call", "function_call": "tool_call",
    "tool_result": "tool", "reasoning": "thinking", "thinking": "thinking",
    "image": "non_text", "image_url": "non_text", "input_audio": "non_text", "audio": "non_text",
    "video": "non_text", "file": "non_text",
}  # fmt: skip
#: Why messages are left out that stand in a field which the record's shape does not use.
_UNUSED = {
    **dict.fromkeys(("rejected", "rejected_messages"), "rejected_reply"),
    **dict.fromkeys(("chosen", "chosen_messages", "output", "response", "completion", "answer"), "other_answer"),
    **dict.fromkeys(_ASKS, "other_question"),
    **dict.fromkeys(("messages", "conversations", "conversation", "history"), "other_list"),
    "input": "unused_input",
}  # fmt: skip
#: In these a text is a name or a number of the conversation, not a message.
_LISTS_ONLY = ("messages", "conversations", "conversation")


@dataclass(frozen=True, slots=True)
class Aside:
    """A message that stands in a record and is not taken, and why."""

    reason: str


@dataclass(slots=True)
class Record:
    """The turns of a record in order, as {role, content} or as what stands there; and the fields they come from."""

    turns: list[Any]
    used: set[str]


def role_of(turn: dict[str, Any]) -> str:
    """The role of a turn, by our names; empty when it has none that is known."""
    for key in _ROLE_KEYS:
        name = turn.get(key)
        if isinstance(name, str):
            return ROLE_NAMES.get(name) or ROLE_NAMES.get(name.strip().lower(), "")
    return ""


def looks_like_turn(item: dict[str, Any]) -> bool:
    """Whether a dictionary has the keys of a message, whoever speaks."""
    if item.keys().isdisjoint(_SAYING_KEYS):
        return False
    return isinstance(item.get("role"), str) or isinstance(item.get("from"), str)


def is_turn(item: dict[str, Any]) -> bool:
    """Whether a dictionary is a message of somebody we know."""
    return looks_like_turn(item) and role_of(item) != ""


def main_fields(item: dict[str, Any]) -> tuple[str, ...] | None:
    """The field that holds a record's list of messages, or those of its question and its answer; else None."""
    for key in _LISTS:
        turns = item.get(key)
        if isinstance(turns, list) and any(is_turn(turn) for turn in turns if isinstance(turn, dict)):
            return (key,)
    return next((pair for pair in _PAIRS if pair[0] in item and pair[1] in item), None)


def record_of(item: dict[str, Any]) -> Record | None:
    """The turns of a record; None when no shape fits."""
    fields = main_fields(item)
    if fields is None:
        return None
    record = Record([], {*_SYSTEM, *fields})
    record.turns.extend(_system(item))
    if len(fields) == 1:
        _add_list(item, fields[0], record)
    else:
        _add_pair(item, fields[0], fields[1], record)
    return record


def unused_fields(item: dict[str, Any], record: Record) -> bool:
    """Whether any field may hold messages that the record's shape does not use."""
    return not (_UNUSED.keys() & item.keys()) <= record.used


def unused_messages(item: dict[str, Any], record: Record, spoken: set[str]) -> Iterator[str]:
    """The reason for each message in the fields that the record's shape does not use.

    `spoken` are the texts that were taken: a field may repeat them, as both sides of a preference repeat the prompt.
    """
    for key, reason in _UNUSED.items():
        if key in item and key not in record.used:
            for entry in _entries(item[key], key in _LISTS_ONLY):
                if entry is None:
                    yield "null"
                else:
                    text = turn_text(entry)[0] if isinstance(entry, dict) else entry
                    yield "repeated" if isinstance(text, str) and text.strip() in spoken else reason


def turn_text(turn: dict[str, Any]) -> tuple[str, str]:
    """The text of a turn, and the reason to give when it is blank."""
    value = None
    for key in _TEXT_KEYS:
        value = turn.get(key)
        if value is not None:
            break
    if isinstance(value, str):
        return value, "empty"
    if isinstance(value, dict):
        value = [value]
    if not isinstance(value, list):
        return "", "empty" if value is None else "malformed"
    texts, reason = [], "empty"
    for part in value:
        kind = part.get("type") if isinstance(part, dict) else "text"
        if kind is None or kind in _TEXT_PARTS:
            found = part.get("text", part.get("value")) if isinstance(part, dict) else part
            texts += [found] if isinstance(found, str) else []
        elif reason == "empty":
            reason = _OTHER_PARTS.get(kind, "") if isinstance(kind, str) else ""
            reason = reason or unknown_type(kind)
    return "\n".join(text for text in texts if text), reason


def _add_list(item: dict[str, Any], key: str, record: Record) -> None:
    entries, chosen = item[key], item.get("chosen")
    begins = next((role_of(turn) for turn in dictionaries(entries)), "")
    ask = next((ask for ask in _ASKS if ask in item), None)
    if key not in _LISTS_ONLY and begins == "assistant" and ask:
        # TRL's preferences: the prompt stands apart, as a text or as messages.
        record.turns.extend(_side(item[ask], "user", "other_question"))
        record.used.add(ask)
    record.turns.extend(entries)
    if key in _LISTS_ONLY and _is_reply(chosen, entries):
        # LLaMA-Factory's preferences: the turns before, and the reply that was chosen.
        record.turns.extend(_side(chosen, "assistant", "other_answer"))
        record.used.add("chosen")


def _is_reply(chosen: object, turns: list[Any]) -> bool:
    if isinstance(chosen, dict):
        return is_turn(chosen)
    last = next((role_of(turn) for turn in reversed(dictionaries(turns))), "")
    if isinstance(chosen, list):
        first = next((role_of(turn) for turn in dictionaries(chosen)), "")
        return first == "assistant" and last != "assistant"
    return isinstance(chosen, str) and bool(chosen.strip()) and last != "assistant"


def _add_pair(item: dict[str, Any], ask: str, answer: str, record: Record) -> None:
    record.used.add("history")
    record.turns.extend(_history(item.get("history")))
    question, reply = item[ask], item[answer]
    if ask == "instruction":
        question = _with_input(item, question, record)
    record.turns.extend(_side(question, "user", "other_question"))
    if answer == "completion" and isinstance(reply, str):
        reply = _completion(reply)
    record.turns.extend(_side(reply, "assistant", "other_answer"))


def _system(item: dict[str, Any]) -> Iterator[Any]:
    said: list[object] = []
    for value in (item.get(key) for key in _SYSTEM):
        if value in _NOTHING:
            continue
        if not isinstance(value, str):
            yield Aside("malformed")
        else:
            yield Aside("repeated") if value in said else {"role": "system", "content": value}
        said.append(value)


def _history(value: object) -> Iterator[Any]:
    """Earlier rounds: pairs of question and answer, or messages."""
    if value and not isinstance(value, list):
        yield Aside("malformed")
    for entry in value if isinstance(value, list) else ():
        if isinstance(entry, list) and len(entry) == 2:
            yield _said(entry[0], "user")
            yield _said(entry[1], "assistant")
        elif isinstance(entry, dict) and looks_like_turn(entry):
            yield entry
        else:
            yield Aside("null" if entry is None else "malformed")


def _with_input(item: dict[str, Any], question: object, record: Record) -> object:
    """An instruction with the text it is about: Alpaca's `input`, Dolly's `context`."""
    more = item.get("input")
    if more not in _NOTHING and not isinstance(more, str):
        record.turns.append(Aside("malformed"))
        record.used.add("input")
        return question
    if not more and isinstance(item.get("context"), str):
        more = item["context"]
    if not isinstance(more, str) or not isinstance(question, str):
        return question
    record.used.add("input")
    if not more.strip() or more.strip().lower() in _NO_INPUT:
        return question
    return f"{question}\n\n{more}" if question.strip() else more


def _side(value: Any, role: str, other: str) -> Iterator[Any]:
    """One side of a pair: a text, messages, or several texts of which the first that says something is taken."""
    if not isinstance(value, list) or not value:
        yield _said(value, role)
    elif any(isinstance(entry, dict) and looks_like_turn(entry) for entry in value):
        yield from value
    elif all(isinstance(entry, dict) and "type" in entry for entry in value):
        yield _said(value, role)
    else:
        taken = next((n for n, text in enumerate(value) if isinstance(text, str) and text.strip()), 0)
        for number, entry in enumerate(value):
            if number == taken:
                yield _said(entry, role)
            else:
                yield Aside("null" if entry is None else other)


def _said(value: Any, role: str) -> dict[str, Any]:
    if isinstance(value, dict) and looks_like_turn(value):
        return value
    return {"role": role, "content": value}


def _completion(text: str) -> str:
    """Completions of old fine-tuning files begin with a space and end with a mark of their own."""
    return text.removeprefix(" ").removesuffix(" END")


def _entries(value: object, lists_only: bool) -> Iterator[Any]:
    """The messages in a field: of a list its entries, those of pairs one by one; numbers and flags are none."""
    if isinstance(value, list):
        for entry in value:
            yield from entry if isinstance(entry, list) else [entry]
    elif value and (isinstance(value, dict) or (isinstance(value, str) and value.strip() and not lists_only)):
        yield value
