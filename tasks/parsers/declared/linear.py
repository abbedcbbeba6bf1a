"""Finding, cutting and replacing by the regular expressions of a declaration, in time linear in the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import polars as pl

from schemas.patterns import named_groups, replacement_of
from tasks.parsers.rows import repaired

#: Stands before a pattern and matches nothing: one without any sign of a pattern would be taken for a plain text, and
#: the signs in its replacement, too.
_PATTERN = "(?:)"


def found_in(pattern: str, texts: Sequence[str]) -> list[bool]:
    """For each text, whether the pattern is found in it."""
    return _column(texts).str.contains(pattern).to_list()


def replacing(pattern: str, text: str) -> Callable[[str], str]:
    """A function that puts `text` in the place of all that matches."""
    replacement = replacement_of(pattern, text)
    return lambda given: str(_column([given]).str.replace_all(_PATTERN + pattern, replacement).item())


def first_groups(pattern: str) -> Callable[[str], list[tuple[str, str]] | None]:
    """A function that gives names and texts of the groups that take part in the first match; None: there is none."""
    names = named_groups(pattern)

    def find(text: str) -> list[tuple[str, str]] | None:
        column = _column([text])
        found = column.str.extract_groups(pattern).item()
        groups = [(name, found[name]) for name in names if found[name] is not None]
        return groups if groups or column.str.contains(pattern).item() else None

    return find


def every_pair(pattern: str, first: str, second: str) -> Callable[[str], list[tuple[str, str]] | None]:
    """A function that gives two of the groups of every match, one that takes no part in it as empty; None: no match."""
    # A text that was repaired holds no NUL: three of them mark off what was found in each match.
    marked = f"\0${{{first}}}\0${{{second}}}\0"

    def find(text: str) -> list[tuple[str, str]] | None:
        pieces = str(_column([text]).str.replace_all(_PATTERN + pattern, marked).item()).split("\0")
        return list(zip(pieces[1::3], pieces[2::3], strict=True)) or None

    return find


def _column(texts: Sequence[str]) -> pl.Series:
    return pl.Series("text", [repaired(text) for text in texts], dtype=pl.String)
