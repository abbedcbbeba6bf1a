"""Exports that are known and not read yet: recognised by name, so that nobody takes them for something else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tasks.parsers.contract import dictionaries

Test = Callable[[dict[str, Any]], bool]


def foreign_name(item: object) -> str | None:
    """The name of the program whose export this item of a file comes from, if it is one of these."""
    if isinstance(item, list):
        turns = dictionaries(item)
        return "Le Chat" if any(_le_chat(turn) for turn in turns) else None
    if not isinstance(item, dict):
        return None
    return next((name for name, test in FOREIGN if test(item)), None)


def is_deepseek(item: object) -> bool:
    """DeepSeek's export has ChatGPT's `mapping`, but fragments in its messages; its raw dumps are Claude-like."""
    if not isinstance(item, dict):
        return False
    mapping = item.get("mapping")
    if isinstance(mapping, dict):
        nodes = [node for node in mapping.values() if isinstance(node, dict)]
        messages = [node["message"] for node in nodes if isinstance(node.get("message"), dict)]
        marks = ("fragments", "inserted_at")
        return "inserted_at" in item or any(mark in message for message in messages for mark in marks)
    data = item.get("data")
    raw = data.get("biz_data") if isinstance(data, dict) else item
    if not isinstance(raw, dict):
        return False
    return any("message_id" in message for message in dictionaries(raw.get("chat_messages")))


def _messages(item: dict[str, Any]) -> list[dict[str, Any]]:
    return dictionaries(item.get("messages"))


def _first(item: dict[str, Any], key: str) -> dict[str, Any]:
    return next(iter(dictionaries(item.get(key))), {})


def _dict(item: dict[str, Any], key: str) -> dict[str, Any]:
    value = item.get(key)
    return value if isinstance(value, dict) else {}


def _grok(item: dict[str, Any]) -> bool:
    return any(
        "responses" in each and "conversation" in each
        for each in [item, *dictionaries(item.get("conversations"))]
    )


def _takeout(item: dict[str, Any]) -> bool:
    return "safeHtmlItem" in item or (
        "header" in item and "title" in item and ("time" in item or "products" in item)
    )


def _open_webui(item: dict[str, Any]) -> bool:
    inner = _dict(item, "chat") or item
    history = _dict(inner, "history")
    return "currentId" in history or isinstance(history.get("messages"), dict)


def _libre_chat(item: dict[str, Any]) -> bool:
    marks = ("messageId", "parentMessageId", "isCreatedByUser")
    return "messagesTree" in item or (
        "conversationId" in item
        and "messages" in item
        and ("endpoint" in item or any(mark in message for message in _messages(item) for mark in marks))
    )


def _le_chat(item: dict[str, Any]) -> bool:
    return "chatId" in item and "role" in item


def _telegram(item: dict[str, Any]) -> bool:
    if "list" in _dict(item, "chats"):
        return True
    return any("from_id" in message or "date_unixtime" in message for message in _messages(item))


def _tavern(item: dict[str, Any]) -> bool:
    return (
        "chat_metadata" in item
        or {"user_name", "character_name"} <= item.keys()
        or {"mes", "is_user"} <= item.keys()
    )


def _claude_code(item: dict[str, Any]) -> bool:
    kinds = ("user", "assistant", "summary", "system", "progress", "file-history-snapshot")
    return item.get("type") in kinds and (isinstance(item.get("message"), dict) or "sessionId" in item)


def _character(item: dict[str, Any]) -> bool:
    if "histories" in _dict(item, "histories"):
        return True
    return any("candidates" in turn or "raw_content" in turn for turn in dictionaries(item.get("turns")))


#: In this order: the first that fits names the file.
FOREIGN: tuple[tuple[str, Test], ...] = (
    ("Grok", _grok),
    ("AI Studio", lambda item: "chunkedPrompt" in item),
    ("Gemini Takeout", _takeout),
    ("Open WebUI", _open_webui),
    ("LibreChat", _libre_chat),
    ("chatbot-ui", lambda item: {"history", "folders"} <= item.keys()),
    ("Le Chat", _le_chat),
    ("LM Studio", lambda item: any("versions" in message for message in _messages(item))),
    ("Discord", lambda item: {"guild", "channel", "messages"} <= item.keys()),
    ("Telegram", _telegram),
    ("Facebook or Instagram", lambda item: any("sender_name" in message for message in _messages(item))),
    ("SillyTavern", _tavern),
    ("Claude Code", _claude_code),
    ("Codex", lambda item: "payload" in item and "type" in item and "timestamp" in item),
    ("Gemini CLI", lambda item: {"sessionId", "projectHash", "messages"} <= item.keys()),
    ("Claude design chats", lambda item: "messages" in item and "uuid" in _dict(item, "project")),
    (
        "Perplexity",
        lambda item: "query" in _first(item, "conversations") or "thread_id" in _dict(item, "metadata"),
    ),
    ("character.ai", _character),
    (
        "OpenAssistant",
        lambda item: "message_tree_id" in item or {"message_id", "parent_id", "role"} <= item.keys(),
    ),
    ("Agnai", lambda item: any("msg" in message for message in _messages(item))),
    ("Ooba", lambda item: "data_visible" in item),
)
