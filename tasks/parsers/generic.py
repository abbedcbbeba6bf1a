"""Training files: OpenAI messages, bare lists, ShareGPT, Alpaca, and pairs such as prompt and completion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.settings import ParseSettings
from tasks.parsers.contract import ParsedConversation, ParsedMessage, Unparsable, dictionaries, text_or_none
from tasks.parsers.generic_shapes import (
    Aside,
    is_turn,
    looks_like_turn,
    main_fields,
    record_of,
    role_of,
    turn_text,
    unused_fields,
    unused_messages,
)
from tasks.parsers.times import microseconds

#: `text` is too common a key to tell a message that stands by itself.
_BARE_KEYS = {"content", "value", "tool_calls"}


class GenericParser:
    """Every item is looked at by itself, so that a file may mix shapes.

    No native ids: an `id` in such files is unique in its file at best, and the same in many.
    """

    format = "generic"
    provider = "generic"
    broad = True
    has_ids = False
    id_key = b""
    id_pattern = b""
    item_key = b""

    def matches(self, sample: Sequence[object]) -> bool:
        """Any item of a known shape, or items that are messages themselves."""
        return self.is_one_conversation(sample) or any(_is_known(item) for item in sample)

    def is_one_conversation(self, sample: Sequence[object]) -> bool:
        """A bare list of messages is one conversation, not as many as it has messages."""
        turns = [item for item in sample if isinstance(item, dict)]
        bare = all(looks_like_turn(turn) and turn.keys() & _BARE_KEYS for turn in turns)
        return bare and any(is_turn(turn) for turn in turns)

    def identify(self, item: object) -> tuple[str, int] | None:
        """Nothing: see the class."""
        return None

    def parse(self, item: object, settings: ParseSettings) -> ParsedConversation:
        """The conversation in one record, system message included. Raises Unparsable for an unknown shape."""
        parsed = ParsedConversation()
        if isinstance(item, list):
            for turn in item:
                _take(turn, parsed)
            return parsed
        record = record_of(item) if isinstance(item, dict) else None
        if record is None or not isinstance(item, dict):
            raise Unparsable("no shape that is known" if isinstance(item, dict) else "not an object")
        _describe(item, parsed)
        for turn in record.turns:
            _take(turn, parsed)
        if unused_fields(item, record):
            spoken = {message.content.strip() for message in parsed.messages}
            parsed.set_aside.update(unused_messages(item, record, spoken))
        return parsed


def _is_known(item: object) -> bool:
    if isinstance(item, list):
        return any(is_turn(turn) for turn in dictionaries(item))
    return isinstance(item, dict) and main_fields(item) is not None


def _describe(item: dict[str, Any], parsed: ParsedConversation) -> None:
    parsed.title = text_or_none(item.get("title"))
    parsed.model = text_or_none(item.get("model"))
    for key in ("created_at", "create_time", "timestamp"):
        if key in item and parsed.created is None:
            parsed.created = microseconds(item[key])
    if item.get("label") is False:
        parsed.flags.append("label_false")


def _take(turn: Any, parsed: ParsedConversation) -> None:
    if not isinstance(turn, dict):
        reason = turn.reason if isinstance(turn, Aside) else "null" if turn is None else "malformed"
        parsed.set_aside[reason] += 1
        return
    role = role_of(turn)
    if not role:
        parsed.set_aside["unknown_role"] += 1
        return
    text, reason = turn_text(turn)
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
