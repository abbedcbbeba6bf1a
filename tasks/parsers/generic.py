"""Training files: OpenAI messages, bare lists, ShareGPT, Alpaca, and pairs such as prompt and completion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from schemas.settings import ParseSettings
from tasks.parsers.contract import (
    ROLE_NAMES,
    ParsedConversation,
    ParsedMessage,
    Unparsable,
    dictionaries,
    text_or_none,
    unknown_type,
)
from tasks.parsers.times import microseconds

#: Lists of messages, by the key that holds them; the chosen side of a preference counts.
_LISTS = ("messages", "conversations", "conversation", "chosen_messages")
#: Question and answer, by their keys.
_PAIRS = (
    ("instruction", "output"), ("instruction", "response"), ("prompt", "completion"), ("prompt", "response"),
    ("question", "answer"), ("query", "response"),
)  # fmt: skip
_NO_INPUT = ("<noinput>", "no input", "n/a", "none")
_ROLE_KEYS = ("role", "from")
_TEXT_KEYS = ("content", "value", "text")
_BARE_KEYS = {"content", "value", "tool_calls"}
_TEXT_PARTS = ("text", "input_text", "output_text")
_OTHER_PARTS = {
    "tool_call": "tool_call", "tool_calls": "tool_call", "tool_use": "tool_call", "function_call": "tool_call",
    "tool_result": "tool", "reasoning": "thinking", "thinking": "thinking",
    "image": "non_text", "image_url": "non_text", "input_audio": "non_text", "audio": "non_text",
    "video": "non_text", "file": "non_text",
}  # fmt: skip


class GenericParser:
    """Every item is looked at by itself, so that a file may mix shapes.

    No native ids: an `id` in such files is unique in its file at best, and the same in many.
    """

    format = "generic"
    provider = "generic"
    broad = True
    has_ids = False
    id_pattern = b""

    def matches(self, sample: Sequence[object]) -> bool:
        """Any item of a known shape, or items that are messages themselves."""
        return self.is_one_conversation(sample) or any(_is_known(item) for item in sample)

    def is_one_conversation(self, sample: Sequence[object]) -> bool:
        """A bare list of messages is one conversation, not as many as it has messages."""
        turns = [item for item in sample if isinstance(item, dict)]
        # `text` is too common a key to tell a message that stands by itself.
        bare = all(_looks_like_turn(turn) and turn.keys() & _BARE_KEYS for turn in turns)
        return bare and any(_is_turn(turn) for turn in turns)

    def identify(self, item: object) -> tuple[str, int] | None:
        """Nothing: see the class."""
        return None

    def parse(self, item: object, settings: ParseSettings) -> ParsedConversation:
        """The conversation in one record, system message included. Raises Unparsable for an unknown shape."""
        parsed = ParsedConversation()
        if isinstance(item, list):
            turns: Iterator[Any] = iter(item)
        elif isinstance(item, dict) and (shape := _shape(item)):
            turns = shape
            _describe(item, parsed)
        else:
            raise Unparsable("no shape that is known" if isinstance(item, dict) else "not an object")
        for turn in turns:
            if turn is not None:
                _take(turn, parsed)
        return parsed


def _looks_like_turn(item: dict[str, Any]) -> bool:
    has_text = any(key in item for key in (*_TEXT_KEYS, "tool_calls"))
    return has_text and any(isinstance(item.get(key), str) for key in _ROLE_KEYS)


def _is_turn(item: dict[str, Any]) -> bool:
    return _looks_like_turn(item) and _role(item) != ""


def _is_known(item: object) -> bool:
    if isinstance(item, list):
        return any(_is_turn(turn) for turn in dictionaries(item))
    return isinstance(item, dict) and _shape(item) is not None


def _role(turn: dict[str, Any]) -> str:
    name = next((turn[key] for key in _ROLE_KEYS if isinstance(turn.get(key), str)), "")
    return ROLE_NAMES.get(name.strip().lower(), "")


def _shape(item: dict[str, Any]) -> Iterator[Any] | None:
    """The turns of a record in order, as {role, content}; None when no shape fits."""
    for key in _LISTS:
        if any(_is_turn(turn) for turn in dictionaries(item.get(key))):
            return _listed(item, key)
    for ask, answer in _PAIRS:
        if ask in item and answer in item:
            return _pair(item, ask, answer)
    return None


def _listed(item: dict[str, Any], key: str) -> Iterator[Any]:
    yield from _system(item)
    yield from item[key]
    # LLaMA-Factory's preferences: the turns before, and the reply that was chosen.
    chosen = item.get("chosen")
    if key in ("conversations", "messages") and isinstance(chosen, dict) and _is_turn(chosen):
        yield chosen


def _pair(item: dict[str, Any], ask: str, answer: str) -> Iterator[Any]:
    yield from _system(item)
    for pair in item.get("history") or () if isinstance(item.get("history"), list) else ():
        if isinstance(pair, list) and len(pair) == 2:
            yield {"role": "user", "content": pair[0]}
            yield {"role": "assistant", "content": pair[1]}
    yield from _side(_asked(item, ask), "user")
    reply = item[answer]
    yield from _side(
        _completion(reply) if answer == "completion" and isinstance(reply, str) else reply, "assistant"
    )


def _system(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if text_or_none(item.get("system")):
        yield {"role": "system", "content": item["system"]}


def _asked(item: dict[str, Any], ask: str) -> Any:
    question, more = item[ask], item.get("input")
    if ask != "instruction" or not isinstance(more, str) or not isinstance(question, str):
        return question
    if not more.strip() or more.strip().lower() in _NO_INPUT:
        return question
    return f"{question}\n\n{more}" if question.strip() else more


def _side(value: Any, role: str) -> Iterator[Any]:
    """One side of a pair: a text, messages, or several answers of which the first is taken."""
    if isinstance(value, list) and any(isinstance(turn, dict) for turn in value):
        yield from value
    else:
        yield {"role": role, "content": value[0] if isinstance(value, list) and value else value}


def _completion(text: str) -> str:
    """Completions of old fine-tuning files begin with a space and end with a mark of their own."""
    return text.removeprefix(" ").removesuffix(" END")


def _describe(item: dict[str, Any], parsed: ParsedConversation) -> None:
    parsed.title = text_or_none(item.get("title"))
    parsed.model = text_or_none(item.get("model"))
    times = (item.get(key) for key in ("created_at", "create_time", "timestamp"))
    parsed.created = next((time for value in times if (time := microseconds(value)) is not None), None)
    if item.get("label") is False:
        parsed.flags.append("label_false")


def _take(turn: Any, parsed: ParsedConversation) -> None:
    if not isinstance(turn, dict):
        parsed.set_aside["malformed"] += 1
        return
    role = _role(turn)
    if not role:
        parsed.set_aside["unknown_role"] += 1
        return
    text, reason = _text(turn)
    if not text.strip():
        calls = turn.get("tool_calls") or turn.get("function_call")
        parsed.set_aside["tool_call" if calls and reason == "empty" else reason] += 1
        return
    stated = text_or_none(turn.get("model"))
    parsed.messages.append(
        ParsedMessage(
            role=role,
            content=text,
            native_id=text_or_none(turn.get("id")),
            created=microseconds(turn.get("created_at", turn.get("timestamp"))),
            model=stated or parsed.model if role == "assistant" else None,
            author=text_or_none(turn.get("name")),
        )
    )


def _text(turn: dict[str, Any]) -> tuple[str, str]:
    """The text of a turn, and the reason to give when it is blank."""
    value = next((turn[key] for key in _TEXT_KEYS if turn.get(key) is not None), None)
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
            reason = (
                _OTHER_PARTS.get(kind) or unknown_type(kind) if isinstance(kind, str) else unknown_type(None)
            )
    return "\n".join(text for text in texts if text), reason
