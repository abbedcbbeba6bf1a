"""What can be known of a JSON value from its beginning."""

from __future__ import annotations

import json
import re

_DECODER = json.JSONDecoder(strict=False)
_GAP = re.compile(r"[ \t\r\n,]*")
_COLON = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_MOST_MEMBERS = 200


def sketch(text: str, at: int = 0, depth: int = 4) -> object:
    """The JSON value at `at`; of a value that is cut off or broken, the members that are whole, to some depth."""
    return _partial(text, at, depth)[0]


def member(text: str, at: int) -> tuple[str, int] | None:
    """The key of an object's member at or behind `at`, and where its value begins; None where there is none."""
    at = _behind(_GAP, text, at)
    if text[at : at + 1] != '"':
        return None
    try:
        key, at = _DECODER.raw_decode(text, at)
    except ValueError:
        return None
    colon = _COLON.match(text, at)
    return (key, colon.end()) if colon else None


def behind_value(text: str, at: int) -> int | None:
    """Where the whole JSON value at `at` ends; None when it is cut off or broken."""
    try:
        return _DECODER.raw_decode(text, at)[1]
    except (ValueError, RecursionError):
        return None


def _partial(text: str, at: int, depth: int) -> tuple[object, int | None]:
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        pass
    if depth and text[at : at + 1] == "{":
        return _object(text, at + 1, depth), None
    if depth and text[at : at + 1] == "[":
        return _list(text, at + 1, depth), None
    return None, None


def _object(text: str, at: int, depth: int) -> dict[str, object]:
    found: dict[str, object] = {}
    end: int | None = at
    while end is not None and len(found) < _MOST_MEMBERS:
        pair = member(text, end)
        if pair is None:
            break
        found[pair[0]], end = _partial(text, pair[1], depth - 1)
    return found


def _list(text: str, at: int, depth: int) -> list[object]:
    found: list[object] = []
    end: int | None = at
    while end is not None and len(found) < _MOST_MEMBERS:
        at = _behind(_GAP, text, end)
        if text[at : at + 1] in ("", "]"):
            break
        value, end = _partial(text, at, depth - 1)
        found.append(value)
    return found


def _behind(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at
