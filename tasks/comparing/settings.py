"""Which settings differ between two builds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.comparison import SettingChange


def changed_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[SettingChange]:
    """Settings that differ, sorted by dotted key.

    A list is one value, and so is a mapping that only one side has.
    """
    return sorted(_changes(before, after, ""), key=lambda change: change.key)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str) -> Iterator[SettingChange]:
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key), after.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changes(old, new, f"{prefix}{key}.")
        elif old != new:
            yield SettingChange(key=f"{prefix}{key}", before=old, after=new)
