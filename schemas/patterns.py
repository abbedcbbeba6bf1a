"""Regular expressions that people write: Rust's, whose time is linear in the text, whatever they are and it is.

In Python's own engine `(a+)+$` takes hours on forty letters, and a build hangs on one record.
"""

from __future__ import annotations

import re
from functools import lru_cache

_RUST = "Patterns are Rust regular expressions"
#: A back-reference or an escape in a replacement, as Python writes them.
_ESCAPED = re.compile(r"\\(?:(\d{1,2})|g<([^<>]*)>|(.?))", re.DOTALL)
_ESCAPES = {"\\": "\\", "n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v", "a": "\a"}


@lru_cache(maxsize=1024)
def groups_of(pattern: str) -> tuple[str, ...]:
    """The groups, by name or by number where they have none. Raises ValueError for what is no pattern."""
    import polars as pl

    try:
        return tuple(pl.Series([""]).str.extract_groups(pattern).struct.fields)
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"no regular expression: {refusal_of(str(error))} ({_RUST})") from None


def refusal_of(message: str) -> str:
    """The engine's own last word, without the drawing of the pattern."""
    lines = message.splitlines()
    named = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return named[0] if named else lines[0].removeprefix("regex error: ").rstrip(".")


def named_groups(pattern: str) -> list[str]:
    """The groups that have a name, in their order."""
    return [name for name in groups_of(pattern) if not name.isdecimal()]


def replacement_of(pattern: str, text: str) -> str:
    r"""What stands in a match's place, as the engine wants it: `\1` and `\g<name>` are groups, all else is as it is.

    Raises ValueError for a group that the pattern does not have, and for an escape that means nothing.
    """
    groups = groups_of(pattern)
    pieces: list[str] = []
    at = 0
    for found in _ESCAPED.finditer(text):
        pieces.append(text[at : found.start()].replace("$", "$$"))
        number, name, other = found.groups()
        at = found.end()
        if other is not None:
            pieces.append(_escape(other).replace("$", "$$"))
            continue
        group = number if name is None else name
        known = int(group) <= len(groups) if group.isdecimal() else group in groups
        if not known or number == "0":
            raise ValueError(
                f"the replacement {text!r} names the group {group!r}, which {pattern!r} does not have"
            )
        pieces.append(f"${{{int(group) if group.isdecimal() else group}}}")
    return "".join([*pieces, text[at:].replace("$", "$$")])


def _escape(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if not character or (character.isascii() and character.isalpha()):
        raise ValueError(rf"\{character} means nothing in a replacement: write \\ for a backslash")
    return "\\" + character
