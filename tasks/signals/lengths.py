"""Lengths, and how much a text repeats itself."""

from __future__ import annotations

import re

#: In scripts that are written without spaces every character counts as a word.
_WORD = re.compile(
    r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]|[^\W\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]+(?:['’-]\w+)*"
)
_ELLIPSIS = re.compile(r"[\s.…·・。]+")
#: Zero-width and formatting characters that a reader does not see.
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]")


def visible(text: str) -> str:
    """The text as a reader sees it: without invisible characters and outer space."""
    return INVISIBLE.sub("", text).strip()


def count_words(text: str) -> int:
    """Words, where an apostrophe or hyphen joins."""
    return sum(1 for _ in _WORD.finditer(text))


def is_ellipsis(text: str) -> bool:
    """Whether nothing but dots is said."""
    return bool(text) and _ELLIPSIS.fullmatch(text) is not None


def repetition(text: str) -> float:
    """Share of word trigrams that have occurred before in the text: 0 for none, near 1 for a loop."""
    words = text.casefold().split()
    total = len(words) - 2
    if total < 2:
        return 0.0
    distinct = len(set(zip(words, words[1:], words[2:], strict=False)))
    return 1.0 - distinct / total
