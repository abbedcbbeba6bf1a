"""Which records stay: conditions on columns, each with the reason that those it drops are counted under."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schemas.settings.sources import Condition
from tasks.parsers.declared.linear import found_in
from tasks.parsers.declared.paths import MISSING, Record, getter

#: The reason why a record goes; None: it stays.
Screen = Callable[[Record], str | None]


def screen(conditions: Sequence[Condition]) -> Screen:
    """All conditions, in order: the first that does not hold gives the reason."""
    tests = [(f"where:{condition.column}", _test(condition)) for condition in conditions]

    def reason(record: Record) -> str | None:
        return next((name for name, holds in tests if not holds(record)), None)

    return reason


def _test(condition: Condition) -> Callable[[Record], bool]:
    get = getter(condition.column)
    checks = [_CHECKS[name](wanted) for name, wanted in condition.given().items()]

    def holds(record: Record) -> bool:
        found = get(record)
        return all(check(found) for check in checks)

    return holds


def _same(found: Any, wanted: Any) -> bool:
    """Whether a value is what was written: a CSV has texts for numbers and flags."""
    if isinstance(found, str) and not isinstance(wanted, str):
        if isinstance(wanted, bool):
            return found.strip().lower() in (("true", "1", "yes") if wanted else ("false", "0", "no"))
        number = _number(found)
        return number is not None and number == wanted
    if isinstance(found, bool) or isinstance(wanted, bool):
        return isinstance(found, bool) and isinstance(wanted, bool) and found == wanted
    return bool(found == wanted)


def _number(found: Any) -> float | None:
    try:
        return None if found is None or isinstance(found, bool) else float(found)
    except (TypeError, ValueError):
        return None


def _compared(compare: Callable[[float, float], bool]) -> Callable[[Any], Callable[[Any], bool]]:
    return lambda wanted: lambda found: (number := _number(found)) is not None and compare(number, wanted)


def _says(found: Any) -> bool:
    if isinstance(found, str):
        return bool(found.strip())
    return found is not MISSING and found is not None and found not in ([], {})


def _matches(pattern: str) -> Callable[[Any], bool]:
    return lambda found: isinstance(found, str) and found_in(pattern, [found])[0]


_CHECKS: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "equals": lambda wanted: lambda found: _same(found, wanted),
    "differs": lambda wanted: lambda found: not _same(found, wanted),
    "one_of": lambda wanted: lambda found: any(_same(found, each) for each in wanted),
    "none_of": lambda wanted: lambda found: not any(_same(found, each) for each in wanted),
    "at_least": _compared(lambda number, wanted: number >= wanted),
    "at_most": _compared(lambda number, wanted: number <= wanted),
    "above": _compared(lambda number, wanted: number > wanted),
    "below": _compared(lambda number, wanted: number < wanted),
    "matches": _matches,
    "present": lambda wanted: lambda found: _says(found) == wanted,
}
