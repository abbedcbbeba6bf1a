"""Places in a record, as people write them: `question`, `answers[0].text`, `options[*]`, `"a b"[-1]`, `@key`.

The name of a column may hold dots and spaces: a column whose name is the whole path wins. `[0]` is the first element,
`[-1]` the last, `[*]` all of a list, `.*` all values of an object, `[@key]` the one of the number that was exploded
last (for lists that run side by side). Columns that begin with `@` are made while reading.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, Final

from schemas.errors import SettingsError

Record = Mapping[str, Any]


class _Missing:
    def __repr__(self) -> str:
        return "MISSING"


#: What stands where a record has no such place.
MISSING: Final = _Missing()
ALL: Final = "*"
#: As an index: the number, or key, of the element that was exploded last.
HERE: Final = "@key"
_STEP = re.compile(r'\[(-?\d+|\*|@key)\]|\.?"([^"]*)"|\.?([^.\[\]"]+)')
_SHOWN = 20

Step = str | int


@cache
def steps_of(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises SettingsError when it is none."""
    steps: list[Step] = []
    at = 0
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or (found[0].startswith(".") and at == 0):
            raise SettingsError(
                f"{path!r} is no path", fix="Write column, column.field, column[0] or column[*].field."
            )
        index, quoted, name = found.groups()
        if index is not None:
            steps.append(index if index in (ALL, HERE) else int(index))
        else:
            steps.append(quoted if quoted is not None else name)
        at = found.end()
    return tuple(steps)


def column_of(path: str) -> str:
    """The column that a path begins with."""
    steps = steps_of(path)
    return str(steps[0]) if steps else ""


@cache
def getter(path: str) -> Callable[[Record], Any]:
    """A function from a record to what stands at the path: MISSING where the place is not there."""
    steps = steps_of(path)
    if steps == (path,):
        return lambda record: record.get(path, MISSING)
    if f"[{HERE}]" in path:
        return lambda record: _walk(record, tuple(_here(record) if step == HERE else step for step in steps))
    return lambda record: record[path] if path in record else _walk(record, steps)


def _here(record: Record) -> Step:
    key = record.get(HERE, "")
    return int(key) if isinstance(key, str) and key.isdecimal() else str(key)


def _walk(value: Any, steps: tuple[Step, ...]) -> Any:
    for number, step in enumerate(steps):
        if step == ALL and isinstance(step, str) and not (isinstance(value, Mapping) and ALL in value):
            inner = (
                value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else None
            )
            if inner is None:
                return MISSING
            found = (_walk(item, steps[number + 1 :]) for item in inner)
            return [item for item in found if item is not MISSING]
        if isinstance(step, int):
            if isinstance(value, Mapping) and str(step) in value:
                value = value[str(step)]
            elif isinstance(value, list) and -len(value) <= step < len(value):
                value = value[step]
            else:
                return MISSING
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            return MISSING
    return value


def replaced(record: Record, path: str, element: Any) -> dict[str, Any]:
    """A copy of the record in which `element` stands at the path (names and numbers only)."""
    steps = (path,) if path in record else steps_of(path)
    return dict(_put(record, steps, element))


def _put(value: Any, steps: tuple[Step, ...], element: Any) -> Any:
    if not steps:
        return element
    first, rest = steps[0], steps[1:]
    if isinstance(value, Mapping):
        name = str(first)
        return {**value, name: _put(value.get(name), rest, element)}
    if isinstance(value, list) and isinstance(first, int):
        copied = list(value)
        copied[first] = _put(copied[first], rest, element)
        return copied
    return element


def names_beside(record: Record, path: str) -> tuple[str, list[str]]:
    """The longest part of the path that is there (empty: none), and the names that stand in it."""
    value: Any = record
    there: list[str] = []
    for step in steps_of(path):
        if step == ALL or isinstance(step, int):
            items = (
                value
                if isinstance(value, list)
                else list(value.values())
                if isinstance(value, Mapping)
                else []
            )
            if not items:
                break
            place = step if isinstance(step, int) and -len(items) <= step < len(items) else 0
            value = items[place]
            there.append(f"[{step}]")
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
            there.append(f".{step}" if there else str(step))
        else:
            break
    names = [str(name) for name in value] if isinstance(value, Mapping) else []
    return "".join(there), names


def named(names: Iterable[str]) -> str:
    """Column names for an error, the first twenty."""
    listed = [name if name else '""' for name in names]
    return ", ".join(listed[:_SHOWN]) + (f", and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else "")


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant."""
    return next(iter(difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)), None)
