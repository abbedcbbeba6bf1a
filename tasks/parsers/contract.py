"""What a parser of one export format gives, whatever the format."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.settings import ParseSettings

_TYPE = re.compile(r"[a-z][a-z0-9]*(?:[_./-][a-z0-9]+){0,5}")
_LONGEST_TYPE = 40

_SPEAKERS = ("user", "assistant")

#: Names of roles in the wild, in lower case, and ours.
ROLE_NAMES = {
    "user": "user", "human": "user", "prompter": "user", "person": "user",
    "assistant": "assistant", "gpt": "assistant", "chatgpt": "assistant", "bot": "assistant", "model": "assistant",
    "bing": "assistant", "bard": "assistant", "ai": "assistant", "chatbot": "assistant",
    "system": "system", "developer": "system",
    "function_call": "tool_call", "tool_call": "tool_call",
    "tool": "tool", "function": "tool", "observation": "tool", "function_response": "tool", "tool_response": "tool",
    "ipython": "tool",
}  # fmt: skip


class Unparsable(Exception):
    """An item of a file is no conversation of this format; carries the reason and never text of the chat."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(slots=True)
class ParsedMessage:
    """A message that the conversation shows. `created` is in microseconds since 1970 (UTC).

    `intensity` is what a corpus says of how strongly its author speaks, a number from 0 to 1 as text.
    """

    role: str
    content: str
    native_id: str | None = None
    created: int | None = None
    model: str | None = None
    author: str | None = None
    intensity: str | None = None
    rating: str | None = None


@dataclass(slots=True)
class ParsedConversation:
    """A conversation's active branch, and what was left out of it.

    messages seen = len(messages) + sum(set_aside.values()), over all branches. `branches` counts the points at which
    the conversation forks. `warnings` are sentences for the account, counted over the conversations of a file.
    """

    messages: list[ParsedMessage] = field(default_factory=list)
    set_aside: Counter[str] = field(default_factory=Counter)
    branches: int = 0
    flags: list[str] = field(default_factory=list)
    native_id: str | None = None
    title: str | None = None
    created: int | None = None
    updated: int | None = None
    model: str | None = None
    category: str | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def messages_seen(self) -> int:
        """Every message object of the conversation, on all branches."""
        return len(self.messages) + sum(self.set_aside.values())

    @property
    def says_something(self) -> bool:
        """Whether either side speaks; else the conversation is an empty one."""
        return any(message.role in _SPEAKERS for message in self.messages)


class Parser(Protocol):
    """One export format.

    `broad` formats are asked only when no other format, and no format we know but do not read, claims the file.
    `has_ids`: conversations carry ids of the provider's, so that a file may hold copies of one.
    `id_key`, `id_pattern`: the key of such an id in the bytes of a usual export, quotes included, and what stands
    behind it, the id as the pattern's group; empty: unknown.
    `item_key`: the key, quotes included, that each item has once in such an export.
    """

    format: str
    provider: str
    broad: bool
    has_ids: bool
    id_key: bytes
    id_pattern: bytes
    item_key: bytes

    def matches(self, sample: Sequence[object]) -> bool:
        """Whether a file whose first items are `sample` is of this format."""

    def is_one_conversation(self, sample: Sequence[object]) -> bool:
        """Whether the items of the file are the messages of a single conversation."""

    def identify(self, item: object) -> tuple[str, int] | None:
        """Native id and time of the last change (microseconds, -1: unknown) of an item that can be parsed."""

    def parse(self, item: object, settings: ParseSettings) -> ParsedConversation:
        """The conversation in one item of the file. Raises Unparsable."""


def unknown_type(name: object) -> str:
    """The reason for a content type that nobody has taught us.

    It is named when it is one word as programs write them; else it may be what somebody said, which no report tells.
    """
    if not isinstance(name, str) or not name:
        return "unknown_type:none"
    return f"unknown_type:{name if len(name) <= _LONGEST_TYPE and _TYPE.fullmatch(name) else 'odd_name'}"


def text_or_none(value: object) -> str | None:
    """A non-empty string, or None."""
    return value if isinstance(value, str) and value else None


def dictionaries(value: Any) -> list[dict[str, Any]]:
    """The dictionaries in a list; nothing when it is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
