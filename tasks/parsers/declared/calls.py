"""What a message of a list says beside its text: calls of tools and their results, which become turns of their own.

Calls stand in typed parts (`tool_call`, `function`, Anthropic's `tool_use`), in OpenAI's `tool_calls`, or in the older
`function_call`. Without them the results of tools, which are messages by themselves, would answer nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tasks.parsers.declared.paths import Record

CALLS = ("tool_call", "tool_calls", "tool_use", "server_tool_use", "function", "function_call")
RESULTS = ("tool_result", "function_response", "tool_response")
#: Who can call a tool: others only quote.
_CALLING = ("assistant", "tool_call")
_TEXT_KEYS = ("value", "text", "content")
_ARGUMENTS = ("arguments", "input", "parameters", "args")


def beside(role: str, item: Record, contents: tuple[Any, ...]) -> tuple[list[str], list[str]]:
    """Results that stand before the text of a message, and calls that stand after it, each as the text of a turn.

    `contents` are the values in which typed parts may stand. The calls of one message's parts are one turn, as their
    results are; those of `tool_calls` are answered one by one, and are a turn each.
    """
    parts = [part for content in contents if isinstance(content, list) for part in content]
    typed = [part for part in parts if isinstance(part, dict)]
    results = list(_texts(typed, RESULTS))
    if role not in _CALLING:
        return ["\n".join(results)] if results else [], []
    calls = list(_texts(typed, CALLS))
    listed = item.get("tool_calls") or item.get("function_call") or []
    apart = [listed] if isinstance(listed, (dict, str)) else listed if isinstance(listed, list) else []
    answered = [text for text in map(_told, apart) if text]
    return ["\n".join(results)] if results else [], [*(["\n".join(calls)] if calls else []), *answered]


def _texts(parts: list[dict[str, Any]], kinds: tuple[str, ...]) -> Iterator[str]:
    for part in parts:
        if part.get("type") in kinds and (text := _told(part)):
            yield text


def _told(part: Any) -> str:
    """A call or result as text: as it stands, or as JSON with name and arguments."""
    if isinstance(part, str):
        return part if part.strip() else ""
    if not isinstance(part, dict):
        return ""
    inner = part["function"] if isinstance(part.get("function"), dict) else part
    if isinstance(inner.get("name"), str):
        given: Any = next((inner[key] for key in _ARGUMENTS if key in inner), {})
        return json.dumps(
            {"name": inner["name"], "arguments": _parsed(given)}, ensure_ascii=False, default=str
        )
    said = next((part[key] for key in _TEXT_KEYS if part.get(key)), "")
    if isinstance(said, str):
        return said if said.strip() else ""
    if isinstance(said, list):
        texts = [_told(each) for each in said]
        return "\n".join(text for text in texts if text)
    return json.dumps(said, ensure_ascii=False, default=str)


def _parsed(given: Any) -> Any:
    """Arguments as what they are: mostly they are JSON in a text."""
    if not isinstance(given, str):
        return given
    try:
        return json.loads(given)
    except ValueError:
        return given
