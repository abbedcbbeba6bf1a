"""Making any text safe to look at: control and direction characters are shown, not obeyed."""

from __future__ import annotations

import re
import unicodedata

#: Direction marks, embeddings, overrides and isolates; zero-width and invisible ones; joiners stay, for emoji
#: and scripts need them. Private tags (U+E0000...) can hide whole messages.
_HIDDEN = re.compile(
    "[\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\u00ad\u115f\u1160\u3164\uffa0\U000e0000-\U000e0fff]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    "|\r(?!\n)"  # alone it sends a terminal back over what it has written
)
#: More marks than this on one letter are decoration that would smear over the neighbouring lines.
MARKS = 3
LONGEST = 300


def visible(text: object, longest: int = LONGEST) -> str:
    """`text` with hidden characters written as ‹U+202E›, cut in the middle beyond `longest` characters."""
    given = str(text)
    if len(given) > longest:
        given = f"{given[: longest * 2 // 3]} … {given[len(given) - longest // 3 :]}"
    return _thin_marks(_HIDDEN.sub(_name, given))


def _name(match: re.Match[str]) -> str:
    return f"‹U+{ord(match.group()):04X}›"


def _thin_marks(text: str) -> str:
    if text.isascii():
        return text
    kept: list[str] = []
    run = 0
    for character in text:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= MARKS:
            kept.append(character)
    return "".join(kept)
