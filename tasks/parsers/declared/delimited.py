"""Rows of CSV and TSV files. A stray quote costs its own line, and not the lines behind it."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from schemas.errors import InputError
from tasks.parsers.stream import Broken

#: Columns by name, or what stands there instead; and what names the line at which it begins.
Row = tuple[dict[str, Any] | Broken, Callable[[], str]]
_LONGEST_FIELD = 16 << 20
#: Lines that a stray quote had swallowed are read again, in one file up to so many characters: without a bound, a file
#: of stray quotes alone would take its length squared.
_READ_AGAIN = 64 << 20
_NEVER_CLOSED = "a quote is opened and never closed"
_ENDS_EARLY = "a quote is closed in the middle of a text"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What parts columns, and what stands around those that hold it; an empty quote: nothing does."""

    delimiter: str
    quote: str

    def rows(self, lines: Iterable[str], strict: bool) -> Any:
        """A reader of the csv module. A strict one raises where a quote is closed before its column ends."""
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            strict=strict,
        )


def delimited_rows(
    lines: Iterator[str], dialect: Dialect, columns: Sequence[str], header: bool
) -> Iterator[Row]:
    """The rows below the header, or all of them. Raises InputError for a header that cannot be read."""
    csv.field_size_limit(_LONGEST_FIELD)
    rows = _rows(_Lines(lines), dialect)
    names = list(columns)
    if header:
        number, first = next(rows, (1, []))
        if isinstance(first, str):
            raise InputError(
                f"line {number}, which names the columns, cannot be read: {first}",
                fix="Correct it, or say read.quote and read.delimiter.",
            )
        names = names or [name.removeprefix("\ufeff") for name in first]
    for number, row in rows:
        place = partial("line {}".format, number)
        if isinstance(row, str):
            yield Broken(place(), row), place
        elif len(row) == 1 < len(names) and not row[0].strip():
            continue  # a line of spaces
        elif len(row) != len(names):
            yield Broken(place(), f"{len(row)} columns instead of {len(names)}"), place
        else:
            yield dict(zip(names, row, strict=True)), place


class _Lines:
    """The lines of a file and one empty one behind them: a row that takes that in has a quote that is never closed."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._waiting: list[str] = []  # the next one last
        self.taken: list[str] = []  # by the row under way
        self.ended = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._waiting.pop() if self._waiting else next(self._lines, None)
        if line is None:
            if self.ended:
                raise StopIteration
            self.ended, line = True, "\n"
        self.taken.append(line)
        return line

    def give_back(self) -> None:
        """Let all but the first line of the row under way be taken once more."""
        behind = self.taken[1:-1] if self.ended else self.taken[1:]
        self._waiting += reversed(behind)
        self.ended = False


def _rows(lines: _Lines, dialect: Dialect) -> Iterator[tuple[int, list[str] | str]]:
    """The number of the line at which each row begins, and its columns, or why it has none."""
    number, left = 1, _READ_AGAIN
    reader = dialect.rows(lines, strict=True)
    while True:
        lines.taken.clear()
        row: list[str] | str
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reader = dialect.rows(lines, strict=True)
            row = str(error) if len(lines.taken) > 1 else _leniently(lines.taken[0], dialect, str(error))
        used = len(lines.taken)
        if lines.ended and used == 1:
            return
        if lines.ended:
            row = _NEVER_CLOSED
        elif isinstance(row, str) and used > 1 and "expected after" in row:
            row = _ENDS_EARLY
        if isinstance(row, str) and used > 1:
            again = sum(map(len, lines.taken)) - len(lines.taken[0])
            if again <= left:
                left -= again
                lines.give_back()
                used = 1
            else:
                row += f", and the {used - 1 - lines.ended} lines behind it are not read"
        if row:
            yield number, row
        number += used


def _leniently(line: str, dialect: Dialect, reason: str) -> list[str] | str:
    """One line in which a text goes on behind its closing quote; the reason when even so it is no row."""
    try:
        reader = dialect.rows([line, "\n"], strict=False)
        row: list[str] = next(reader)
    except csv.Error:
        return reason
    return row if reader.line_num == 1 else _NEVER_CLOSED
