"""The lines of a file, one after the other, with a look at those that follow; and which of them stand in fences."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Protocol

from tasks.parsers.markdown.marks import Fence, fence_of
from tasks.parsers.window import TextWindow

#: A fence that is not closed within so many lines is none: else one forgotten mark would swallow the rest of a file.
_CLOSED_WITHIN = 5000


class Ahead(Protocol):
    """Lines that can be asked for by their distance from the next one."""

    def ahead(self, distance: int) -> str | None:
        """The line at a distance, 0 being the next; None behind the end."""


class LineStream:
    """The lines of a window. `number` is that of the line that was given last, from 1."""

    def __init__(self, window: TextWindow) -> None:
        self.number = 0
        self._lines = _split(window)
        self._read: deque[str] = deque()

    def __iter__(self) -> Iterator[str]:
        while (line := self.ahead(0)) is not None:
            self._read.popleft()
            self.number += 1
            yield line

    def ahead(self, distance: int) -> str | None:
        """The line at a distance, 0 being the next; None behind the end."""
        while len(self._read) <= distance:
            line = next(self._lines, None)
            if line is None:
                return None
            self._read.append(line)
        return self._read[distance]


class ListedLines:
    """The same look ahead over lines that are there already; `at` is the next one."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.at = 0
        self._lines = lines

    def ahead(self, distance: int) -> str | None:
        """The line at a distance, 0 being the next; None behind the end."""
        place = self.at + distance
        return self._lines[place] if place < len(self._lines) else None


class Fences:
    """Told of every line in order, knows which are in a fence, its marks included."""

    def __init__(self, lines: Ahead) -> None:
        self._lines = lines
        self._open: Fence | None = None
        self._at = 0  # lines so far
        self._unclosed: dict[
            str, tuple[int, int]
        ] = {}  # of a sign: length, and up to which line nothing closes it

    def holds(self, line: str) -> bool:
        """Whether the next line, whose followers the stream has before it, belongs to a fence."""
        self._at += 1
        mark = fence_of(line)
        if self._open is not None:
            if mark is not None and mark.closes(self._open):
                self._open = None
            return True
        if mark is not None and self._is_closed(mark):
            self._open = mark
            return True
        return False

    def _is_closed(self, opened: Fence) -> bool:
        length, until = self._unclosed.get(opened.sign[0], (0, 0))
        # What could not close a shorter mark cannot close this one: those lines are not looked at again.
        start = max(until - self._at, 0) if len(opened.sign) >= length > 0 else 0
        for distance in range(start, _CLOSED_WITHIN):
            line = self._lines.ahead(distance)
            if line is None:
                self._unclosed[opened.sign[0]] = (len(opened.sign), self._at + _CLOSED_WITHIN)
                return False
            if (mark := fence_of(line)) is not None and mark.closes(opened):
                return True
        self._unclosed[opened.sign[0]] = (len(opened.sign), self._at + _CLOSED_WITHIN)
        return False


def _split(window: TextWindow) -> Iterator[str]:
    """Lines without their ends: \\n, \\r\\n, or \\r alone."""
    first = True
    while True:
        searched = 0
        while (end := window.text.find("\n", window.at + searched)) < 0:
            searched = len(window.text) - window.at
            if not window.grow():
                break
        line = window.text[window.at : end if end >= 0 else len(window.text)]
        window.at = end + 1 if end >= 0 else len(window.text)
        if first:
            line, first = line.lstrip("\ufeff"), False
        if end < 0 and not line:
            return
        line = line.removesuffix("\r")
        if "\r" in line:
            yield from line.split("\r")
        else:
            yield line
        if end < 0:
            return
