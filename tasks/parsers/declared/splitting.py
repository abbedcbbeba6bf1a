"""Cutting one text into named pieces: at marks, by a regular expression with groups, or at a separator."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import cycle

from schemas.patterns import named_groups
from schemas.settings.mapping import TextSplit
from tasks.parsers.declared.linear import every_pair, first_groups
from tasks.parsers.declared.paths import Record
from tasks.parsers.declared.values import NoText, maker

#: Name and text of each piece, in the order of the text.
Pieces = list[tuple[str, str]]
_BY_ROLE = {"role", "text"}


def cutter(split: TextSplit, round_robin: bool = False) -> Callable[[Record], Pieces]:
    """A function from a record to the pieces of its text. It raises NoText: nothing to cut, or no mark found.

    With a separator, what is left over belongs to the last name; `round_robin`: the names are used over and over.
    """
    make = maker(split.text)
    cut = _marked(split.markers) if split.markers is not None else _other(split, round_robin)
    return lambda record: cut(make(record))


def _other(split: TextSplit, round_robin: bool) -> Callable[[str], Pieces]:
    if split.pattern is not None:
        return _matched(split.pattern)
    assert split.separator is not None
    return _separated(split.separator, split.names, round_robin)


def _marked(markers: dict[str, str]) -> Callable[[str], Pieces]:
    """Longer marks are looked for first. What stands before the first mark is a piece without a name."""
    either = re.compile("|".join(re.escape(mark) for mark in sorted(markers, key=len, reverse=True)))

    def cut(text: str) -> Pieces:
        found = list(either.finditer(text))
        if not found:
            raise NoText("no_marker_found")
        ends = [*(match.start() for match in found[1:]), len(text)]
        pieces = [(markers[m[0]], text[m.end() : end].strip()) for m, end in zip(found, ends, strict=True)]
        before = text[: found[0].start()].strip()
        return [("", before), *pieces] if before else pieces

    return cut


def _matched(pattern: str) -> Callable[[str], Pieces]:
    """Groups `role` and `text` give a piece for each match; other names give the pieces of the first match."""
    find = (
        every_pair(pattern, "role", "text")
        if set(named_groups(pattern)) == _BY_ROLE
        else first_groups(pattern)
    )

    def cut(text: str) -> Pieces:
        found = find(text)
        if found is None:
            raise NoText("pattern_not_found")
        return [(name.strip(), piece.strip()) for name, piece in found]

    return cut


def _separated(separator: str, names: tuple[str, ...], round_robin: bool) -> Callable[[str], Pieces]:
    def cut(text: str) -> Pieces:
        pieces = [piece.strip() for piece in text.split(separator, -1 if round_robin else len(names) - 1)]
        if len(pieces) < 2 and len(names) > 1:
            raise NoText("separator_not_found")
        return list(zip(cycle(names) if round_robin else names, pieces, strict=False))

    return cut
