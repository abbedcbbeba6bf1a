"""The items of a JSON, JSONL or wrapped file, one after the other, in bounded memory.

Four shapes: an array of items (or several arrays behind one another); `{"conversations": [items]}`, with other
members around it; lines of JSON; a single object, or several. A broken item is reported alone; the others are read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tasks.parsers.resync import Resync
from tasks.parsers.sketch import behind_value, member, sketch
from tasks.parsers.window import LONGEST_ELEMENT, InvalidElement, TextWindow

#: The shape of a file is decided from so many characters.
HEAD = 1 << 20
_CUT_OFF = "the file ends inside this element"
_DECODER = json.JSONDecoder(strict=False)
#: What tells a wrapped list of conversations from ShareGPT's `conversations`, which are the turns of a single one.
_WRAPPED_KEYS = ("mapping", "chat_messages", "messages")
_TURN_KEYS = ("role", "from")


@dataclass(frozen=True, slots=True)
class Broken:
    """A piece of a file that is no JSON value: where it begins, and why; never its text."""

    at: str
    reason: str


class ItemReader:
    """Iterates over the items of a file; `place` says where the last one began.

    `is_item` tells, of a JSON value, whether it is an item of the file: it helps to find the next whole one after a
    broken one whose brackets or quotes do not balance.
    """

    def __init__(self, window: TextWindow, is_item: Callable[[object], bool] | None = None) -> None:
        self._window = window
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
        first = window.peek()
        while len(window.text) - window.at < HEAD and window.grow():
            pass
        if first in ("[", "{") and _has_lines(window.text, window.at):
            yield from self._lines()
        elif first == "[":
            yield from self._arrays()
        elif first == "{":
            inside = _wrapped_list(window.text, window.at)
            if inside is None:
                yield from self._objects()
            else:
                window.at = inside
                yield from self._array(self._members)
        elif first:
            self._mark()
            yield Broken(self.place(), "the file begins with neither [ nor {")

    def _mark(self) -> None:
        self._start = self._window.base + self._window.at

    def _arrays(self) -> Iterator[object | Broken]:
        while self._window.peek() == "[":
            self._window.at += 1
            yield from self._array(self._tail)

    def _array(self, behind: Callable[[], Iterator[Broken]]) -> Iterator[object | Broken]:
        """Items up to the closing bracket, the window standing behind the opening one; then what is `behind`."""
        window = self._window
        while (char := window.peek()) != "]":
            self._mark()
            if char == ",":
                window.at += 1
                continue
            if not char:
                yield Broken(self.place(), "the file ends before its closing bracket")
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
            yield value
        window.at += 1
        yield from behind()

    def _tail(self) -> Iterator[Broken]:
        if self._window.peek() not in ("", "["):
            self._mark()
            yield Broken(self.place(), "text after the end of the list")
            self._window.at = len(self._window.text)

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
            yield Broken(self.place(), error.reason)
            return
        self._mark()
        window.at += 1
        if not char or window.peek():
            self._mark()
            yield Broken(self.place(), "text after the end of the object" if char else _CUT_OFF)

    def _objects(self) -> Iterator[object | Broken]:
        """Values behind one another; after a broken one the next line is tried."""
        window = self._window
        while char := window.peek():
            self._mark()
            if char == ",":
                window.at += 1
                continue
            try:
                value = window.value() if char in "{[" else None
            except InvalidElement as error:
                place, more = self.place(), not error.cut and self._next_line()
                yield Broken(place, _CUT_OFF if error.cut else error.reason)
                if not more:
                    return
                continue
            if value is None:
                yield Broken(self.place(), "text after the end of the object")
                return
            yield value

    def _next_line(self) -> bool:
        window = self._window
        while (end := window.text.find("\n", window.at)) < 0:
            window.at = len(window.text)
            if not window.grow():
                return False
        window.at = end + 1
        return True

    def _lines(self) -> Iterator[object | Broken]:
        window = self._window
        while window.at < len(window.text) or window.grow():
            self._line += 1
            end = window.text.find("\n", window.at)
            while end < 0 and len(window.text) - window.at <= LONGEST_ELEMENT and window.grow():
                end = window.text.find("\n", window.at)
            last = end < 0
            if last and not window.ended:
                yield Broken(self.place(), "the line is too long")
                if not self._next_line():
                    return
                continue
            line = window.text[window.at : len(window.text) if last else end].strip(" \t\r\ufeff")
            window.at = len(window.text) if last else end + 1
            if line:
                yield self._decoded(line, last)

    def _decoded(self, line: str, last: bool) -> object | Broken:
        try:
            value: object = _DECODER.decode(line)
            return value
        except json.JSONDecodeError as error:
            cut = last and (error.msg.startswith("Unterminated") or error.pos >= len(line) - 1)
            return Broken(self.place(), "the file ends inside this line" if cut else error.msg)
        except RecursionError:
            return Broken(self.place(), "nested too deeply")
        except ValueError:
            return Broken(self.place(), "a number is too long")


def _has_lines(text: str, at: int) -> bool:
    """Whether text[at:] begins with lines that are JSON objects, or lists of messages, each by itself."""
    lines = [line for line in text[at:].split("\n", 20) if line.strip()][:2]
    if len(lines) < 2:
        return False
    first, second = (sketch(line.strip(), depth=0) for line in lines)
    if isinstance(first, list):
        turns = [turn for turn in first if isinstance(turn, dict)]
        return bool(turns) and any(key in turns[0] for key in _TURN_KEYS)
    if isinstance(first, dict):
        return True
    # A first line that is broken, and not merely the beginning of a value that goes on below.
    return isinstance(second, dict) and text[at] == "{" and not _goes_on(lines[0])


def _goes_on(line: str) -> bool:
    try:
        _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return error.pos >= len(line.rstrip()) or error.msg.startswith("Unterminated")
    except (ValueError, RecursionError):
        return False
    return False


def _wrapped_list(text: str, at: int) -> int | None:
    """Where the items begin when the object at `at` is {"conversations": [conversations]}, else None."""
    place: int | None = at + 1
    while place is not None:
        pair = member(text, place)
        if pair is None:
            return None
        key, value = pair
        if key == "conversations" and text[value : value + 1] == "[":
            items = sketch(text, value, depth=3)
            first = (
                next((item for item in items if isinstance(item, dict)), {})
                if isinstance(items, list)
                else {}
            )
            return value + 1 if any(name in first for name in _WRAPPED_KEYS) else None
        place = behind_value(text, value)
    return None
