"""ChatGPT's export: a tree of nodes per conversation, of which the branch that was last shown is taken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schemas.settings import ParseSettings
from tasks.parsers.chatgpt_tree import active_branch
from tasks.parsers.cleaning import strip_citations
from tasks.parsers.contract import (
    ROLE_NAMES,
    ParsedConversation,
    ParsedMessage,
    Unparsable,
    text_or_none,
    unknown_type,
)
from tasks.parsers.times import microseconds

_TEXT_TYPES = ("text", "multimodal_text", None)
#: Why a content type is left out.
_OTHER_TYPES = {
    "code": "tool_call",
    "execution_output": "tool", "computer_output": "tool", "system_error": "tool", "citable_code_output": "tool",
    "tether_quote": "tool", "tether_browsing_display": "tool", "tether_browsing_code": "tool", "sonic_webpage": "tool",
    "thoughts": "thinking", "reasoning_recap": "thinking",
    # Custom instructions and memories are never turns, whatever role they carry.
    "user_editable_context": "hidden", "model_editable_context": "hidden",
}  # fmt: skip
_SPOKEN = ("audio_transcription", "text", None)
_FLAGS = {
    "is_archived": "archived",
    "is_starred": "starred",
    "is_do_not_remember": "do_not_remember",
    "is_study_mode": "study_mode",
    "is_temporary_chat": "temporary",
    "voice": "voice",
}
_FALLBACK = "current_node names no node: the newest leaf was taken"
_CYCLE = "the parents of its nodes go round in a circle"


class ChatGPTParser:
    """conversations.json, or its shards, of a ChatGPT data export."""

    format = "chatgpt"
    provider = "chatgpt"
    broad = False
    has_ids = True
    id_key = b'"conversation_id"'
    id_pattern = rb'\s{0,20}:\s{0,20}"([^"]{1,300})"'
    item_key = b'"mapping"'

    def matches(self, sample: Sequence[object]) -> bool:
        """Any item with a `mapping`."""
        return any(isinstance(item, dict) and "mapping" in item for item in sample)

    def is_one_conversation(self, sample: Sequence[object]) -> bool:
        """Never: an item is a conversation."""
        return False

    def identify(self, item: object) -> tuple[str, int] | None:
        """`conversation_id`, else `id`, and the update time."""
        if not isinstance(item, dict) or not isinstance(item.get("mapping"), dict):
            return None
        native_id = text_or_none(item.get("conversation_id")) or text_or_none(item.get("id"))
        updated = microseconds(item.get("update_time"))
        return (native_id, -1 if updated is None else updated) if native_id else None

    def parse(self, item: object, settings: ParseSettings) -> ParsedConversation:
        """The active branch of one conversation object. Raises Unparsable without a usable mapping."""
        if not isinstance(item, dict):
            raise Unparsable("not an object")
        mapping = item.get("mapping")
        if not isinstance(mapping, dict):
            raise Unparsable("its mapping is missing" if mapping is None else "its mapping is no object")
        branch = active_branch(mapping, item.get("current_node"))
        model = text_or_none(item.get("default_model_slug"))
        parsed = ParsedConversation(
            branches=branch.forks,
            flags=_flags(item),
            native_id=text_or_none(item.get("conversation_id")) or text_or_none(item.get("id")),
            title=text_or_none(item.get("title")),
            created=microseconds(item.get("create_time")),
            updated=microseconds(item.get("update_time")),
            model=model,
        )
        for name in branch.path:
            message = _message(mapping[name])
            if message is not None:
                _take(message, model, parsed)
        # The path visits no node twice, so what is not on it is the rest.
        rest = _count_messages(mapping) - parsed.messages_seen
        if rest:
            parsed.set_aside["other_branch"] = rest
        if branch.current_unusable and len(branch.path) > 0:
            parsed.warnings.append(_FALLBACK)
        if branch.cycle:
            parsed.warnings.append(_CYCLE)
        return parsed


def _count_messages(mapping: dict[str, Any]) -> int:
    return sum(_message(node) is not None for node in mapping.values())


def _message(node: Any) -> Any:
    """The message of a node, if it has one; what stands in the place of a node is a malformed message itself."""
    return node.get("message") if isinstance(node, dict) else node


def _flags(item: dict[str, Any]) -> list[str]:
    flags = [flag for key, flag in _FLAGS.items() if item.get(key)]
    if item.get("gizmo_type") == "snorlax":
        flags.append("project")
    elif item.get("gizmo_id"):
        flags.append("gizmo")
    return flags


def _take(message: Any, model: str | None, parsed: ParsedConversation) -> None:
    """Add a message of the active branch, or the reason why it is left out."""
    if not isinstance(message, dict):
        parsed.set_aside["malformed"] += 1
        return
    metadata = message.get("metadata")
    if not isinstance(metadata, dict):
        metadata = {}
    author = message.get("author")
    name = author.get("role") if isinstance(author, dict) else author
    role = ROLE_NAMES.get(name, "") if isinstance(name, str) else ""
    reason = _unwanted(message, metadata, role)
    text = ""
    if not reason:
        text, reason = _text(message.get("content"))
    if reason:
        parsed.set_aside[reason] += 1
        return
    parsed.messages.append(
        ParsedMessage(
            role=role,
            content=text,
            native_id=text_or_none(message.get("id")),
            created=microseconds(message.get("create_time")),
            model=text_or_none(metadata.get("model_slug")) or model if role == "assistant" else None,
        )
    )


def _unwanted(message: dict[str, Any], metadata: dict[str, Any], role: str) -> str | None:
    if role not in ("user", "assistant"):
        return role or "unknown_role"
    if metadata.get("is_visually_hidden_from_conversation") or metadata.get("is_user_system_message"):
        return "hidden"
    # What is addressed to a tool is a call, whatever its content type says.
    if message.get("recipient") not in (None, "", "all"):
        return "tool_call"
    return None


def _text(content: Any) -> tuple[str, str | None]:
    """The text of a message's content, or the reason why there is none."""
    if isinstance(content, str):
        content = {"parts": [content]}
    if not isinstance(content, dict):
        return "", "empty" if content is None else "malformed"
    kind = content.get("content_type")
    if kind not in _TEXT_TYPES:
        return "", _OTHER_TYPES.get(kind) or unknown_type(kind) if isinstance(kind, str) else unknown_type(
            None
        )
    parts = content.get("parts")
    if not isinstance(parts, list):
        parts = [parts if parts is not None else content.get("text")]
    texts = [part if isinstance(part, str) else _part(part) for part in parts]
    text = strip_citations("\n".join([text for text in texts if text]))
    if text and not text.isspace():
        return text, None
    return "", "non_text" if any(isinstance(part, dict) for part in parts) else "empty"


def _part(part: object) -> str:
    # A part with a text and no type is text too: what is not known to be something else must not be lost.
    if isinstance(part, dict) and part.get("content_type") in _SPOKEN and isinstance(part.get("text"), str):
        return str(part["text"])
    return ""
