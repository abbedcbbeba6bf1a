"""Finding the way again after a broken element of an array, reading on as a stream."""

from __future__ import annotations

import re
from collections.abc import Callable

from tasks.parsers.window import InvalidElement, TextWindow

_OUTSIDE = re.compile(r'["{}\[\],]')
_INSIDE = re.compile(r'["\\]')
_FIRST_KEY = re.compile(r'\{\s{0,200}"([A-Za-z0-9_-]{1,40})"\s{0,20}:')
_KEYS_KEPT = 4
#: The beginning of an element must not be missed because a window ends in it.
_OVERLAP = 300


class Resync:
    """Learns how elements begin, and finds the end of a broken one.

    The end is where the brackets balance again; or, when they never do (a bracket or a quote is missing), where text
    begins like an element and is one, as `is_element` says. Memory stays bounded: nothing but counts is kept.
    """

    def __init__(self, window: TextWindow, is_element: Callable[[object], bool] | None) -> None:
        self._window, self._is_element = window, is_element
        self._keys: list[str] = []
        self._begins: re.Pattern[str] | None = None
        self._depth, self._in_string, self._scanned = 0, False, 0
        self._glued = False

    def learn(self, index: int) -> None:
        """Remember the first key of the element at `index` of the window's text."""
        found = _FIRST_KEY.match(self._window.text, index)
        if found and len(self._keys) < _KEYS_KEPT and found[1] not in self._keys:
            self._keys.append(found[1])
            keys = "|".join(re.escape(key) for key in self._keys)
            self._begins = re.compile(r'\{\s{0,200}"(?:' + keys + r')"\s{0,20}:')

    def skip(self, glued: bool = False) -> bool:
        """Move the window behind the broken element at its place; False when the file ends first.

        `glued` elements stand in no list: they end with their own last bracket.
        """
        window = self._window
        self.learn(window.at)
        self._depth, self._in_string, self._glued = 0, False, glued
        # Places are counted from the file's beginning: reading on moves the window's own indices.
        self._scanned = window.base + window.at
        searched = self._scanned + 1
        while True:
            known = len(window.text) - (0 if window.ended else _OVERLAP)
            limit = max(window.base + known, self._scanned)
            end = self._balance(limit)
            stop = limit if end is None else end
            if self._resume(searched, stop):
                return True
            window.at = stop - window.base
            if end is not None:
                return True
            if window.ended:
                return False
            searched = max(searched, stop)
            window.grow()

    def _balance(self, limit: int) -> int | None:
        """The place, before `limit`, of the comma or bracket that ends the element; behind a glued one."""
        text, base = self._window.text, self._window.base
        while True:
            pattern = _INSIDE if self._in_string else _OUTSIDE
            found = pattern.search(text, self._scanned - base, limit - base)
            if found is None:
                self._scanned = max(self._scanned, limit)
                return None
            char, self._scanned = found[0], found.end() + base
            if char == '"':
                self._in_string = not self._in_string
            elif char == "\\":
                self._scanned += 1
            elif char in "{[":
                self._depth += 1
            elif self._depth == 0 and char in ",]":
                return found.start() + base
            elif char != ",":
                self._depth = max(self._depth - 1, 0)
                if self._glued and not self._depth:
                    return self._scanned

    def _resume(self, searched: int, limit: int) -> bool:
        """Whether an element begins at a place from `searched` to `limit`; then the window stands on it."""
        window = self._window
        if self._begins is None or self._is_element is None:
            return False
        while found := self._begins.search(window.text, searched - window.base):
            place = found.start() + window.base
            if place >= limit:
                return False
            window.at = found.start()
            try:
                whole = self._is_element(window.value())
            except InvalidElement:
                whole = False
            else:
                window.at = place - window.base
            if whole:
                return True
            searched = place + 1
        return False
