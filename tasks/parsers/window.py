"""A window that slides over decoded text, so that a file of any size is read in bounded memory."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Protocol

from tasks.parsers.encodings import WIDE, decoder_for, encoded_width

CHUNK = 1 << 18
#: No element may be longer (characters): what is longer is passed over and reported.
LONGEST_ELEMENT = 64 << 20
#: No string either: a longer one is taken for one whose closing quote is missing.
LONGEST_STRING = 16 << 20
_DECODER = json.JSONDecoder(strict=False)
_SPACE = re.compile(r"[ \t\r\n\ufeff]*")
#: A literal, an escape or a number that the window cuts in two fails at most so many characters before its end.
_CUT = 16
#: A value is tried only with so large a part of a chunk before it: to fail for want of text is costly (measured: 4%
#: of parse), since the decoder's error counts the lines of the whole window.
_LEAST = 4


class ByteStream(Protocol):
    """Something with bytes to read."""

    def read(self, amount: int, /) -> bytes:
        """The next bytes; empty at the end."""


class InvalidElement(Exception):
    """The text at the window's place is no JSON value; `cut` when the file ends inside it."""

    def __init__(self, reason: str, cut: bool = False) -> None:
        self.reason, self.cut = reason, cut
        super().__init__(reason)


class TextWindow:
    """Decoded text from the place `at` onward; what lies before `at` is dropped whenever more is read.

    `grow` moves `at` to 0: an index into `text` is good only until then.
    """

    def __init__(
        self,
        stream: ByteStream,
        encoding: str,
        chunk: int = CHUNK,
        on_bytes: Callable[[int], None] | None = None,
    ) -> None:
        self.text, self.at, self.ended = "", 0, False
        self.base = 0  # characters dropped so far: the place of text[0] in the whole file
        self._stream, self._encoding, self._chunk, self._on_bytes = stream, encoding, chunk, on_bytes
        self._decoder = decoder_for(encoding)
        self._bytes_read = 0
        self._wide = encoding.startswith(WIDE)
        self._newlines = 0  # of all that was read
        self._asked = (-1, 0)  # the place in the whole file whose line was asked for last, and that line

    def grow(self) -> bool:
        """Read on, twice as much when an element does not fit, and drop what lies before `at`; False at the end."""
        while not self.ended:
            data = self._stream.read(max(self._chunk, len(self.text) - self.at))
            self._bytes_read += len(data)
            if self._on_bytes and data:
                self._on_bytes(len(data))
            if data:
                fresh = self._decoder.decode(data)
            else:
                self.ended = True
                # A character that the end of the file cuts in two must not vanish unnoticed.
                fresh = "\ufffd" if self._decoder.getstate()[0] else ""
            if fresh:
                # Bytes are counted faster than characters, and whether there are any is known at once.
                if self._wide:
                    self._newlines += fresh.count("\n")
                elif b"\n" in data:
                    self._newlines += data.count(b"\n")
                self.base += self.at
                self.text, self.at = self.text[self.at :] + fresh, 0
                return True
        return False

    def line(self) -> int:
        """The number of the line that `at` stands in, counted from 1."""
        place, line = self._asked
        if self.base <= place <= self.base + self.at:
            line += self.text.count("\n", place - self.base, self.at)
        else:
            line = 1 + self._newlines - self.text.count("\n", self.at)
        self._asked = (self.base + self.at, line)
        return line

    def peek(self) -> str:
        """The next character that is no white space, with `at` on it; empty at the end."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text):
                return self.text[self.at]
            if not self.grow():
                return ""

    def value(self) -> object:
        """The JSON value that begins at `at`, which moves behind it. Raises InvalidElement, `at` staying."""
        if len(self.text) - self.at < self._chunk // _LEAST:
            self.grow()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                open_string = error.msg.startswith("Unterminated string")
                if open_string and len(self.text) - error.pos > LONGEST_STRING:
                    raise InvalidElement("a string does not end") from None
                near_end = open_string or error.pos >= len(self.text) - _CUT
                if not near_end or not self._grow_for_element():
                    raise InvalidElement(error.msg, cut=near_end) from None
            except RecursionError:
                raise InvalidElement("nested too deeply") from None
            except ValueError:  # a number with thousands of digits
                raise InvalidElement("a number is too long") from None
            else:
                # A number may go on behind the window: "1" of "1e5" is a value, too.
                number = isinstance(value, (int, float)) and len(self.text) - end < _CUT
                if not (number and self._grow_for_element()):
                    self.at = end
                    return value

    def offset(self, index: int) -> int:
        """The byte offset in the file of an index into `text`."""
        pending = len(self._decoder.getstate()[0])
        behind = self.text[index:].removesuffix("\ufffd" if self.ended and pending else "")
        return self._bytes_read - pending - encoded_width(behind, self._encoding)

    def _grow_for_element(self) -> bool:
        if len(self.text) - self.at > LONGEST_ELEMENT:
            raise InvalidElement(f"longer than {LONGEST_ELEMENT >> 20} million characters")
        return self.grow()
