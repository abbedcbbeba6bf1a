"""The conversations of a Markdown file, one after the other, in memory for the longest of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tasks.parsers.markdown.layout import Layout, heads, is_front_matter, layout_of
from tasks.parsers.markdown.lines import Fences, LineStream
from tasks.parsers.markdown.marks import Heading, heading_of, is_rule
from tasks.parsers.markdown.metadata import Metadata
from tasks.parsers.markdown.title import describe
from tasks.parsers.markdown.turns import Reading, read_turns
from tasks.parsers.stream import Broken
from tasks.parsers.window import LONGEST_ELEMENT, TextWindow

#: The layout is decided from so many characters.
HEAD = 1 << 18
_OPENING, _PART, _OWN, _FRONT = "opening", "part", "conversation", "front"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as it was cut out, taken apart; `about` includes what the file says of all.

    `prose` and `unknown` count what stood before it, outside of any conversation, and is set aside.
    """

    reading: Reading
    about: Metadata
    prose: int = 0
    unknown: int = 0


class CorpusReader:
    """Iterates over the conversations of a window; `place` says where the last one began."""

    def __init__(self, window: TextWindow) -> None:
        self._window = window
        self._file, self._part = Metadata(), Metadata()
        self._once: Metadata | None = None
        self._aside = (0, 0)
        self._begun = 1

    def place(self) -> str:
        """Where the last conversation began."""
        return f"line {self._begun}"

    def __iter__(self) -> Iterator[Conversation | Broken]:
        window = self._window
        while len(window.text) - window.at < HEAD and window.grow():
            pass
        head = window.text[window.at : window.at + HEAD].replace("\r\n", "\n").replace("\r", "\n")
        stream = LineStream(window)
        found_any = False
        layout = layout_of(head.split("\n"))
        for start, kind, heading, lines in _pieces(stream, layout):
            if lines is None:
                found_any = True
                yield Broken(f"line {start}", f"longer than {LONGEST_ELEMENT >> 20} million characters")
                continue
            found = self._piece(kind, heading, lines, layout.names)
            if found is not None:
                self._begun, found_any = start, True
                yield found
        if not found_any:
            yield Broken("line 1", "no conversation in it")
        elif self._aside != (0, 0):
            yield Conversation(Reading(Metadata()), Metadata(), *self._aside)  # text behind the last one

    def _piece(
        self, kind: str, heading: Heading | None, lines: list[str], names: frozenset[str]
    ) -> Conversation | None:
        """The conversation in a piece; None when it only says something of those that follow."""
        outer = self._part.inside(self._file)
        outer = outer if self._once is None else self._once.inside(outer)
        reading = read_turns(lines, outer, names)
        if heading is not None:
            describe(heading.text, reading.about)
        if not reading.turns and kind != _OWN:
            self._remember(kind, reading)
            return None
        if kind == _PART and heading is not None:
            self._part = Metadata()
            describe(heading.text, self._part)
        prose, unknown = self._aside
        self._aside, self._once = (0, 0), None
        return Conversation(reading, reading.about.inside(outer), prose, unknown)

    def _remember(self, kind: str, reading: Reading) -> None:
        prose, unknown = self._aside
        self._aside = (prose + reading.prose, unknown + reading.unknown)
        if kind == _OPENING:
            self._file = reading.about
        elif kind == _PART:
            self._part = reading.about
        else:
            self._once = reading.about


def _pieces(
    stream: LineStream, layout: Layout
) -> Iterator[tuple[int, str, Heading | None, list[str] | None]]:
    """First line, kind, heading and lines of each piece; without lines when it is too long."""
    fences = Fences(stream)
    start, kind, heading = 1, _OPENING, None
    lines: list[str] | None = []
    size = 0
    for line in stream:
        new = None if fences.holds(line) else _begun(line, stream, layout)
        if new is not None:
            yield start, kind, heading, lines
            start, (kind, heading), lines, size = stream.number, new, [], 0
            continue
        size += len(line)
        if lines is not None and size <= LONGEST_ELEMENT:
            lines.append(line)
        else:
            lines = None
    yield start, kind, heading, lines


def _begun(line: str, stream: LineStream, layout: Layout) -> tuple[str, Heading | None] | None:
    """What begins at a line outside of fences: a conversation, a part of the file, a block before a conversation."""
    heading = heading_of(line)
    if heading is not None:
        if layout.begins(heading, stream):
            return _OWN, heading
        return (_PART, heading) if layout.parts(heading, stream) else None
    if layout.level is None or not is_rule(line):
        return None
    if layout.level == 0:
        return (_FRONT, None) if heads(stream, layout.names) else None
    return (_FRONT, None) if is_front_matter(stream, layout.level) and stream.number > 1 else None
