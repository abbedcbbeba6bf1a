"""Claude's export: conversations with flat lists of messages, whose content is a list of blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from schemas.settings import ParseSettings
from tasks.parsers.cleaning import strip_claude_tags
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

_TEXT_BLOCKS = ("text", "voice_note")
#: Why a message without text is left out, by the blocks that it has; the first that fits is given.
_OTHER_BLOCKS = (
    ("tool_call", ("tool_use", "server_tool_use")),
    ("tool", ("tool_result", "web_search_tool_result")),
    ("thinking", ("thinking", "redacted_thinking")),
    ("non_text", ("image", "document", "file", "token_budget")),
)
_KNOWN_BLOCKS = {name for _, names in _OTHER_BLOCKS for name in names}
_FLAGS = {"is_starred": "starred", "is_temporary": "temporary", "project_uuid": "project"}
_CUT = "a long attachment was cut"


class ClaudeParser:
    """conversations.json of a Claude data export, or single conversations as claude.ai's own API gives them."""

    format = "claude"
    provider = "claude"
    broad = False
    has_ids = True
    id_key = b'"uuid"'
    id_pattern = rb'\s{0,20}:\s{0,20}"([^"]{1,300})"\s{0,20},\s{0,20}"name"'
    item_key = b'"chat_messages"'

    def matches(self, sample: Sequence[object]) -> bool:
        """Any item with `chat_messages`."""
        return any(isinstance(item, dict) and "chat_messages" in item for item in sample)

    def is_one_conversation(self, sample: Sequence[object]) -> bool:
        """Never: an item is a conversation."""
        return False

    def identify(self, item: object) -> tuple[str, int] | None:
        """`uuid` and the time of the last change."""
        if not isinstance(item, dict) or not isinstance(item.get("chat_messages"), list):
            return None
        native_id = _native_id(item)
        updated = microseconds(item.get("updated_at"))
        return (native_id, -1 if updated is None else updated) if native_id else None

    def parse(self, item: object, settings: ParseSettings) -> ParsedConversation:
        """The active branch of one conversation object. Raises Unparsable without a list of messages."""
        if not isinstance(item, dict):
            raise Unparsable("not an object")
        given = item.get("chat_messages")
        if not isinstance(given, list):
            raise Unparsable(
                "its chat_messages are missing" if given is None else "its chat_messages are no list"
            )
        messages = [message for message in given if message is not None]
        path, forks = _active(messages, item.get("current_leaf_message_uuid"))
        parsed = ParsedConversation(
            branches=forks,
            flags=[flag for key, flag in _FLAGS.items() if item.get(key)],
            native_id=_native_id(item),
            title=text_or_none(item.get("name")) or text_or_none(item.get("title")),
            created=microseconds(item.get("created_at")),
            updated=microseconds(item.get("updated_at")),
            model=text_or_none(item.get("model")),
        )
        for message in path:
            _take(message, settings.max_attachment_chars, parsed)
        if len(messages) > len(path):
            parsed.set_aside["other_branch"] = len(messages) - len(path)
        if len(given) > len(messages):
            parsed.set_aside["null"] = len(given) - len(messages)
        return parsed


def _native_id(item: dict[str, Any]) -> str | None:
    keys = ("uuid", "conversation_id", "id")
    return next((name for key in keys if (name := text_or_none(item.get(key)))), None)


def _active(messages: list[Any], leaf: object) -> tuple[list[Any], int]:
    """The messages in order; where two share a parent, those from the current leaf, or the last one, upward."""
    parents = [text_or_none(m.get("parent_message_uuid")) if isinstance(m, dict) else None for m in messages]
    forks = sum(count > 1 for parent, count in Counter(parents).items() if parent)
    if not forks:
        return messages, 0
    places = {
        m["uuid"]: i for i, m in enumerate(messages) if isinstance(m, dict) and text_or_none(m.get("uuid"))
    }
    place: int | None = places.get(leaf, len(messages) - 1) if isinstance(leaf, str) else len(messages) - 1
    path: list[int] = []
    seen: set[int] = set()
    while place is not None and place not in seen:
        seen.add(place)
        path.append(place)
        parent = parents[place]
        place = places.get(parent) if parent else None
    return [messages[i] for i in reversed(path)], forks


def _take(message: Any, most_chars: int, parsed: ParsedConversation) -> None:
    """Add a message of the active branch, or the reason why it is left out."""
    if not isinstance(message, dict):
        parsed.set_aside["malformed"] += 1
        return
    role = _role(message)
    if role not in ("user", "assistant"):
        parsed.set_aside[role or "unknown_role"] += 1
        return
    text, reason = _text(message)
    for attachment in dictionaries(message.get("attachments")):
        extracted = attachment.get("extracted_content")
        if not isinstance(extracted, str) or not extracted.strip() or not most_chars:
            continue
        if len(extracted) > most_chars:
            parsed.warnings.append(_CUT)
        text = f"{text}\n\n{extracted[:most_chars]}" if text else extracted[:most_chars]
    if not text.strip():
        parsed.set_aside[_blank_reason(message, reason)] += 1
        return
    parsed.messages.append(
        ParsedMessage(
            role=role,
            content=text,
            native_id=text_or_none(message.get("uuid")) or text_or_none(message.get("id")),
            created=microseconds(message.get("created_at")),
            model=text_or_none(message.get("model")) or parsed.model if role == "assistant" else None,
        )
    )


def _role(message: dict[str, Any]) -> str:
    author = message.get("author")
    names = (
        message.get("sender"),
        author.get("role") if isinstance(author, dict) else author,
        message.get("role"),
    )
    name = next((name for name in names if isinstance(name, str)), "")
    return ROLE_NAMES.get(name.lower(), "")


def _text(message: dict[str, Any]) -> tuple[str, str]:
    """The text, and the reason to give when it is blank. The flat `text` also holds the thinking: a last resort."""
    content = message.get("content")
    if isinstance(content, dict):
        content = [content]
    if isinstance(content, list) and content:
        blocks = dictionaries(content)
        texts = [_block_text(block) for block in content]
        found = [strip_claude_tags(text) for text in texts if isinstance(text, str) and text.strip()]
        return "\n\n".join(text for text in found if text), _block_reason(blocks)
    if not isinstance(content, str):
        content = message.get("text")
    text = strip_claude_tags(content) if isinstance(content, str) else ""
    return ("" if text.isspace() else text), "empty"


def _block_text(block: object) -> object:
    if isinstance(block, dict):
        return block.get("text") if block.get("type") in _TEXT_BLOCKS else None
    return block


def _block_reason(blocks: list[dict[str, Any]]) -> str:
    kinds = [block.get("type") for block in blocks if block.get("type") not in _TEXT_BLOCKS]
    for reason, names in _OTHER_BLOCKS:
        if any(kind in names for kind in kinds):
            return reason
    return unknown_type(kinds[0]) if kinds else "empty"


def _blank_reason(message: dict[str, Any], reason: str) -> str:
    files = message.get("files") or message.get("files_v2") or message.get("attachments")
    return "non_text" if reason == "empty" and files else reason
