"""A declaration against its data, before anything is built: are the columns there, does anything come of it?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from schemas.errors import InputError
from schemas.manifest import SourceFile
from schemas.settings.sources import Source
from tasks.parsers.declared.needs import Need, needs_of
from tasks.parsers.declared.parsing import conversations_of, grouped
from tasks.parsers.declared.paths import MISSING, Record, getter, named, names_beside, nearest, steps_of
from tasks.parsers.declared.recipe import Left, Recipe
from tasks.parsers.declared.records import FILE, records_of
from tasks.parsers.declared.selection import Detect, Selection
from tasks.parsers.declared.turns import flat, listed
from tasks.parsers.declared.values import NoText
from tasks.parsers.stream import Broken

_REASONS_SHOWN = 4


def check_declared(
    name: str, source: Source, files: Sequence[SourceFile], detect: Detect | None = None
) -> None:
    """Read until every column that is asked for was seen and one conversation came of it: mostly a few records.

    Raises InputError when the data ends first: a column that no record has, with those that there are; or records of
    which none becomes a conversation, with the reasons.
    """
    check = _Check(name, source, detect)
    for file in files:
        for record, _ in grouped(records_of(file, source.read, None), source):
            check.see(record, file)
            if check.done:
                return
    check.refuse(files)


class _Check:
    """What was seen of one source so far."""

    def __init__(self, name: str, source: Source, detect: Detect | None) -> None:
        self._name = name
        self._recipe, self._selection = Recipe(name, source), Selection(name, source, detect)
        self._open = needs_of(source)
        self._reasons: Counter[str] = Counter()
        self._sample: dict[int, tuple[Record, str]] = {}
        self._good = False
        records = source.mapping or source.narrative
        self._dated = records is None or records.created_at is None
        self._records = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to be found out."""
        return self._good and not self._open and self._dated

    def see(self, record: Record | Broken, file: SourceFile) -> None:
        """Look at one record of a file."""
        self._records += 1
        if isinstance(record, Broken):
            self._reasons[record.reason] += 1
            return
        for level in {need.level for need in self._open}:
            self._see_level(level, record, file)
        if self._good and self._dated:
            return
        for conversation in conversations_of(self._recipe, record):
            reason = (
                conversation.reason
                if isinstance(conversation, Left)
                else self._selection.reason(conversation)
            )
            if reason is None and not isinstance(conversation, Left):
                self._good = True
                self._dated = self._dated or conversation.created is not None
                if self._dated:
                    return
            else:
                self._reasons[str(reason)] += 1

    def _see_level(self, level: int, record: Record, file: SourceFile) -> None:
        for exploded in _first_levels(self._recipe, record, level):
            self._sample.setdefault(level, (exploded, file.label))
            self._open = [n for n in self._open if n.level != level or not _is_there(n, exploded)]
            if not any(need.level == level for need in self._open):
                return

    def refuse(self, files: Sequence[SourceFile]) -> None:
        """Raise what is wrong, the first thing first; nothing when all is well."""
        if self.done:
            return
        where = f"source {self._name}, {named(file.label for file in files[:3])}"
        where += f" and {len(files) - 3} more files" if len(files) > 3 else ""
        if not self._records:
            raise InputError("the source holds no record", where=where, fix="Check `path`, and `read`.")
        if self._open:
            self._refuse_column(min(self._open, key=lambda need: need.level), where)
        if self._good:
            raise InputError(
                f"created_at says no time in any of the {self._records} records",
                where=where,
                fix="It is ISO 8601 (2024-01-31, 2024-01-31T12:00:00Z), or seconds or milliseconds since 1970.",
            )
        reasons = ", ".join(
            f"{reason} {count}" for reason, count in self._reasons.most_common(_REASONS_SHOWN)
        )
        raise InputError(
            f"none of the {self._records} records becomes a conversation ({reasons or 'every list is empty'})",
            where=where,
            fix=_advice(self._reasons),
        )

    def _refuse_column(self, need: Need, where: str) -> None:
        wanted = " or ".join(repr(path) for path in need.paths)
        if need.level not in self._sample:
            reasons = ", ".join(f"{reason} {n}" for reason, n in self._reasons.most_common(_REASONS_SHOWN))
            raise InputError(f"nothing was found in which {wanted} could stand ({reasons})", where=where)
        record, label = self._sample[need.level]
        inside = f"the elements of {need.inside}" if need.inside else "no record"
        if need.inside is not None:
            items = _elements(record, need.inside)
            names = list(dict.fromkeys(str(key) for item in items for key in item))
            what = f"{inside} have no {wanted}"
            place = f"an element of {need.inside} has"
        else:
            there, names = names_beside(record, need.paths[0])
            what = f"no record has the column {wanted}"
            place = f"{there} has" if there else "the columns are"
        names = [name for name in names if name != FILE]
        last = str(steps_of(need.paths[0])[-1]) if need.paths[0] else ""
        near = nearest(last, names)
        raise InputError(
            f"{what}; {place}: {named(names) or 'nothing'}",
            where=f"{where}: as in {label}" if label not in where else where,
            fix=f"Did you mean {near!r}?" if near else "Correct the name in the sources file.",
        )


def _advice(reasons: Counter[str]) -> str:
    if reasons and set(reasons) <= {"no_reply"}:
        return "There is no reply to learn from: this set asks and does not answer. Leave it out, or map its answers."
    return "Correct the declaration: the reasons say what is missing or left out."


def _first_levels(recipe: Recipe, record: Record, level: int) -> list[Record]:
    """The records behind so many explodes."""
    return [found for found in recipe.exploded(record, level) if not isinstance(found, Left)]


def _is_there(need: Need, record: Record) -> bool:
    if need.inside is None:
        return any(_has(record, path) for path in need.paths)
    return any(_has(item, path) for item in _elements(record, need.inside) for path in need.paths)


def _has(record: Record, path: str) -> bool:
    found = getter(path)(record)
    return found is not MISSING and not ("*" in steps_of(path) and found == [])


def _elements(record: Record, path: str) -> list[dict[str, Any]]:
    with suppress(NoText):
        return [item for item in flat(listed(getter(path)(record), path)) if isinstance(item, dict)]
    return []
