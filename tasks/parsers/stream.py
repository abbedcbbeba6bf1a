"""The items of a JSON or JSONL file, one after the other, in bounded memory.

A file is one document behind another: an array of items; `{"conversations": [items]}`, with other members around it;
an object that is an item itself; or lines of JSON. A broken item, and text that is no JSON, are reported one by one,
and what stands behind them is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.parsers.resync import Resync
from tasks.parsers.shapes import begins_with_lines, is_long_document, items_in, wrapped_list
from tasks.parsers.window import InvalidElement, TextWindow

#: The shape of a document is decided from so many characters.
HEAD = 1 << 20
_CUT_OFF = "the file ends inside this element"
_CUT_LINE = "the file ends inside this line"
_CUT_ARRAY = "the file ends before its closing bracket"
_NOT_JSON = "text that is not JSON"
#: How a document may begin, behind text that is none; shorter than what is kept of a window.
_OPENING = re.compile(r'\{\s{0,200}"|\[\s{0,200}[\[{]')
_OVERLAP = 300
_COMMENTS = ("//", "#")
#: Another object on the same line.
_GLUED = re.compile(r"[ \t,]*(?=\{)")


@dataclass(frozen=True, slots=True)
class Broken:
    """A piece of a file that is no JSON value: where it begins, and why; never its text.

    `stray`: text outside of any document.
    """

    at: str
    reason: str
    stray: bool = False


class ItemReader:
    """Iterates over the items of a file; `place` says where the last one began.

    `is_item` tells, of a JSON value, whether it is an item of the file: it helps to find the next whole one after a
    broken one whose brackets or quotes do not balance. `run` is the same for items of one array, and for those that
    stand between two arrays. Without `wrapped`, lists of conversations inside an item are no business of the reader:
    an object is an item as it stands. `lines`: whether every line is an item (None: found out).
    """

    def __init__(
        self,
        window: TextWindow,
        is_item: Callable[[object], bool] | None = None,
        wrapped: bool = True,
        lines: bool | None = None,
    ) -> None:
        self.run = 0
        self._wrapped, self._by_lines = wrapped, lines
        self._window = window
        self._is_item = is_item
        self._resync = Resync(window, is_item)
        self._line = 0
        self._start = 0

    def place(self) -> str:
        """Where the last item began: a line, or an offset in bytes. Good until the next item is asked for."""
        if self._line:
            return f"line {self._line}"
        return f"byte offset {self._window.offset(self._start - self._window.base)}"

    def __iter__(self) -> Iterator[object | Broken]:
        window = self._window
        while char := window.peek():
            self._line = 0
            if char == ",":
                window.at += 1
                continue
            while len(window.text) - window.at < HEAD and window.grow():
                pass
            by_lines = self._by_lines
            if by_lines is None:
                by_lines = begins_with_lines(window.text, window.at, window.ended)
            if by_lines:
                yield from self._lines()
            else:
                yield from self._document(char)

    def _items(self, value: object) -> list[object]:
        return items_in(value, self._is_item) if self._wrapped else [value]

    def _mark(self) -> None:
        self._start = self._window.base + self._window.at

    def _document(self, char: str) -> Iterator[object | Broken]:
        self._mark()
        if char == "[":
            self._window.at += 1
            yield from self._array()
        elif char == "{":
            yield from self._objects()
        else:
            yield self._stray(_NOT_JSON)

    def _array(self) -> Iterator[object | Broken]:
        """Items up to the closing bracket, the window standing behind the opening one."""
        self.run += 1
        window = self._window
        while (char := window.peek()) != "]":
            self._mark()
            if char == ",":
                window.at += 1
                continue
            if not char:
                yield Broken(self.place(), _CUT_ARRAY)
                return
            try:
                value = window.value()
            except InvalidElement as error:
                place = self.place()  # before anything more is read
                found = self._resync.skip()
                yield Broken(place, _CUT_OFF if error.cut and not found else error.reason)
                if not found:
                    return
                continue
            self._resync.learn(self._start - window.base)
            yield from self._items(value)
        window.at += 1
        self.run += 1

    def _objects(self) -> Iterator[object | Broken]:
        """An object, or the items that it wraps, and the objects that follow it on its line."""
        window = self._window
        while True:
            self._mark()
            inside = wrapped_list(window.text, window.at) if self._wrapped else None
            if inside is not None:
                window.at = inside
                yield from self._array()
                yield from self._members()
                return
            try:
                value = window.value()
            except InvalidElement as error:
                place = self.place()
                found = self._resync.skip(glued=True)
                yield Broken(place, _CUT_OFF if error.cut and not found else error.reason)
                return
            self._resync.learn(self._start - window.base)
            yield from self._items(value)
            glued = _GLUED.match(window.text, window.at)
            if glued is None:
                return
            window.at = glued.end()

    def _members(self) -> Iterator[Broken]:
        """What stands behind a wrapped list: other members, which say nothing to us, and the closing brace."""
        window = self._window
        try:
            while (char := window.peek()) and char != "}":
                self._mark()
                if char in ",:":
                    window.at += 1
                else:
                    window.value()
        except InvalidElement as error:
            yield self._stray(error.reason)
            return
        self._mark()
        window.at += 1
        if not char:
            yield Broken(self.place(), _CUT_OFF)

    def _stray(self, reason: str) -> Broken:
        """The failure for text that is no JSON; the window moves on to where a document may begin."""
        window = self._window
        broken = Broken(self.place(), reason, stray=True)
        if window.text.startswith(_COMMENTS, window.at):
            self._next_line()
            return broken
        window.at += 1
        while (found := _OPENING.search(window.text, window.at)) is None:
            window.at = max(window.at, len(window.text) - _OVERLAP)
            if not window.grow():
                window.at = len(window.text)
                return broken
        window.at = found.start()
        return broken

    def _lines(self) -> Iterator[object | Broken]:
        """Values, one on a line; a broken one costs its line, unless it is a list of which the rest can be read."""
        window = self._window
        while char := window.peek():
            self._line = window.line()
            self._mark()
            try:
                if char not in "[{":
                    raise InvalidElement(_NOT_JSON)
                value = window.value()
            except InvalidElement as error:
                if self._wrapped and is_long_document(window.text, window.at):
                    self._line = 0
                    yield from self._document(char)
                    continue
                place, more = self.place(), self._next_line()
                yield Broken(place, _CUT_LINE if error.cut and not more else error.reason)
            else:
                yield from self._items(value)

    def _next_line(self) -> bool:
        window = self._window
        while (end := window.text.find("\n", window.at)) < 0:
            window.at = len(window.text)
            if not window.grow():
                return False
        window.at = end + 1
        return True
