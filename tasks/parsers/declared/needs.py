"""What a declaration asks of the data: the paths that must be there, and the columns that anybody reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schemas.patterns import named_groups
from schemas.settings.mapping import Mapping, Narrative, Records, TextSplit, Turn, Value
from schemas.settings.sources import Source
from tasks.parsers.declared.paths import ALL, column_of
from tasks.parsers.declared.turns import ROLE_KEYS, SINGLE, TEXT_KEYS
from tasks.parsers.declared.values import paths_of


@dataclass(frozen=True, slots=True)
class Need:
    """One of `paths` must be there in at least one record, behind so many of the explodes.

    `inside`: in the elements of this list, rather than in the record.
    """

    level: int
    paths: tuple[str, ...]
    inside: str | None = None


def needs_of(source: Source) -> list[Need]:
    """What must be there somewhere in the data, or the declaration is wrong."""
    records = source.mapping or source.narrative
    if records is None:
        return []
    explode = list(records.explode)
    made = {*records.fields, *(name for split in records.text_split for name in names_of(split)), "rows"}
    found = [Need(0, (records.group,))] if records.group else []
    found += [Need(n, (path,)) for n, path in enumerate(explode) if path != ALL]
    found += [Need(len(explode), tuple(paths)) for paths in _values(records)]
    found += [
        Need(len(explode), (condition.column,))
        for condition in source.filters.where
        if condition.present is None
    ]
    found += [need for turn in _turns(records) for need in _turn_needs(turn, len(explode))]
    return [need for need in dict.fromkeys(found) if not _is_made(need, made)]


def _is_made(need: Need, made: set[str]) -> bool:
    first = (need.inside,) if need.inside else need.paths
    return any(column_of(path) in made or path in made or path.startswith("@") for path in first)


def columns_needed(source: Source) -> list[str] | None:
    """The top-level columns that the source reads; None: all of them."""
    records = source.mapping or source.narrative
    if records is None or ALL in records.explode or (isinstance(records, Mapping) and _reads_whole(records)):
        return None
    paths = [path for need in needs_of(source) if not need.inside for path in need.paths]
    paths += [condition.column for condition in source.filters.where]
    for value in _all_values(records):
        paths += _every_path(value)
    paths += [turn.each.path for turn in _turns(records) if turn.each]
    paths += [turn.tree.path for turn in _turns(records) if turn.tree]
    return sorted({name for path in paths for name in (path, column_of(path))})


def _reads_whole(records: Mapping) -> bool:
    return records.group is not None or any(turn.tree and not turn.tree.path for turn in records.turns)


def _values(records: Records) -> Iterator[Sequence[str]]:
    for split in records.text_split:
        yield from paths_of(split.text)
    for value in (*records.fields.values(), *_about(records)):
        yield from paths_of(value)
    if isinstance(records, Narrative):
        yield from paths_of(records.text)


def _about(records: Records) -> Iterator[Value]:
    """What is said of a record beside its texts."""
    values = (
        records.id,
        records.rating,
        records.title,
        records.created_at,
        records.author,
        records.intensity,
    )
    yield from (value for value in values if value is not None)


def _turn_needs(turn: Turn, level: int) -> Iterator[Need]:
    if turn.optional or turn.system is not None:
        return
    if turn.each is not None:
        yield Need(level, (turn.each.path,))
        if not turn.each.alternate:
            yield Need(level, (turn.each.role,) if turn.each.role else ROLE_KEYS, turn.each.path)
        texts = paths_of(turn.each.text) if turn.each.text else [] if turn.each.alternate else [TEXT_KEYS]
        yield from (Need(level, tuple(paths), turn.each.path) for paths in texts)
    elif turn.tree is not None:
        yield from (Need(level, (turn.tree.path,)) for _ in (0,) if turn.tree.path)
    else:
        value = (
            turn.text_split.text
            if turn.text_split
            else next(filter(None, (getattr(turn, r) for r in SINGLE)))
        )
        yield from (Need(level, tuple(paths)) for paths in paths_of(value))


def _turns(records: Records) -> tuple[Turn, ...]:
    return records.turns if isinstance(records, Mapping) else ()


def _all_values(records: Records) -> Iterator[Value]:
    yield from (split.text for split in records.text_split)
    yield from records.fields.values()
    yield from _about(records)
    if isinstance(records, Narrative):
        yield records.text
    if isinstance(records, Mapping):
        yield from records.aside.values()
    for turn in _turns(records):
        yield from (value for role in SINGLE if (value := getattr(turn, role)) is not None)
        if turn.text_split:
            yield turn.text_split.text


def _every_path(value: Value) -> Iterator[str]:
    """All paths in a value, those that may be missing included."""
    for paths in paths_of(value.model_copy(update={"default": None})):
        yield from paths
    for part in (*(value.join or ()), *(value.first_of or ())):
        yield from _every_path(part)


def names_of(split: TextSplit) -> list[str]:
    """The columns that a text is cut into."""
    groups = named_groups(split.pattern) if split.pattern else []
    return [*(split.markers or {}).values(), *split.names, *groups]
