"""The shape of a document of JSON in a file, told from its beginning or from the value that was read."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from tasks.parsers.sketch import behind_value, member, sketch

#: Whether text is lines of JSON is told from so many lines that are not blank.
LINES = 20
#: So far behind its beginning an object's list of conversations is looked for.
_WRAPPED_WITHIN = 1 << 14
_DECODER = json.JSONDecoder(strict=False)
#: What tells a wrapped list of conversations from ShareGPT's `conversations`, which are the turns of a single one.
_WRAPPED_KEYS = ("mapping", "chat_messages", "messages")
_TURN_KEYS = ("role", "from")


def lines_of(text: str, at: int, whole: bool) -> Iterator[tuple[str, object]]:
    """The lines of text[at:] that are not blank, each with the JSON object or list that it is by itself, else None.

    A last line without its end is left out unless the text is `whole`.
    """
    while at < len(text):
        end = text.find("\n", at)
        if end < 0 and not whole:
            return
        line = text[at : len(text) if end < 0 else end].strip(" \t\r\ufeff")
        if line:
            yield line, _document(line)
        at = len(text) if end < 0 else end + 1


def begins_with_lines(text: str, at: int, whole: bool) -> bool:
    """Whether text[at:] begins with lines of JSON: at least two lines, at least half of which are records.

    A record is an object, or a list of messages. One bad line, the first not excepted, changes nothing.
    """
    count = good = 0
    for _, value in lines_of(text, at, whole):
        count += 1
        good += isinstance(value, dict) or _is_turns(value)
        if count == LINES:
            break
    return count > 1 and good * 2 >= count


def wrapped_list(text: str, at: int) -> int | None:
    """Where the items begin when the object at `at` is {"conversations": [conversations]}, else None."""
    if text.find('"conversations"', at, at + _WRAPPED_WITHIN) < 0:
        return None
    place: int | None = at + 1
    while place is not None:
        pair = member(text, place)
        if pair is None:
            return None
        key, value = pair
        if key == "conversations" and text[value : value + 1] == "[":
            items = sketch(text, value, depth=3)
            return value + 1 if isinstance(items, list) and _is_conversations(items) else None
        place = behind_value(text, value)
    return None


def is_long_document(text: str, at: int) -> bool:
    """Whether the broken value at `at` begins a list of conversations, the others of which can be read.

    A line that is cut off inside its first conversation is none: it would take the next lines into its list.
    """
    if text[at] != "[":
        return text[at] == "{" and wrapped_list(text, at) is not None
    begun = sketch(text, at, depth=2)
    if not isinstance(begun, list) or _is_turns(begun) or not any(isinstance(item, dict) for item in begun):
        return False
    line = text[at : text.find("\n", at) + 1 or len(text)]
    first = text.find("{", at)
    opens = not text[at + 1 : first].strip(" \t\r\n") and behind_value(text, first) is not None
    return opens or line.rstrip(" \t\r\n,").endswith("]")


def items_in(value: object, is_item: Callable[[object], bool] | None = None) -> list[object]:
    """The items of a value that was read whole: those of a wrapped list, of a list of conversations; or itself.

    A list of messages is an item itself; of another one, `is_item` tells whether its members are items.
    """
    if isinstance(value, dict):
        inside = value.get("conversations")
        if isinstance(inside, list) and _is_conversations(inside):
            return inside
    elif isinstance(value, list) and not _is_turns(value):
        first = next((item for item in value if isinstance(item, dict)), None)
        if first is not None and (_is_conversations(value) or (is_item and is_item(first))):
            return value
    return [value]


def _document(line: str) -> object:
    try:
        value = _DECODER.decode(line) if line[0] in "[{" else None
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def _is_turns(value: object) -> bool:
    first = next((item for item in value if isinstance(item, dict)), {}) if isinstance(value, list) else {}
    return any(key in first for key in _TURN_KEYS)


def _is_conversations(items: list[object]) -> bool:
    first = next((item for item in items if isinstance(item, dict)), {})
    return any(key in first for key in _WRAPPED_KEYS)
