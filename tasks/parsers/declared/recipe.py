"""A source's mapping or narrative, made ready: from a record to its conversations, or to why there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from schemas.ids import hash_fields
from schemas.settings.mapping import Mapping, Narrative, Value
from schemas.settings.sources import Source
from schemas.tables import PLAIN_TEXT
from tasks.parsers.contract import ParsedConversation, ParsedMessage
from tasks.parsers.declared.filters import screen
from tasks.parsers.declared.paths import ALL, Record, getter, replaced
from tasks.parsers.declared.splitting import cutter
from tasks.parsers.declared.turns import Roles, Spoken, branches, listed, speaker
from tasks.parsers.declared.values import Maker, NoText, maker
from tasks.parsers.times import declared_microseconds

#: The key, or number, of the element that was exploded last.
KEY = "@key"
_NUMBER_CHARS = 40
#: What is said of conversations that created_at gives no time, counted over a file.
WITHOUT_TIME = "conversations without a time: their created_at is empty"
NOT_A_TIME = "conversations without a time: their created_at is no time that can be read"


@dataclass(frozen=True, slots=True)
class Left:
    """A record that becomes no conversation, and why; never its text."""

    reason: str


Speak = Callable[[Record], Iterator[Spoken]]


class Recipe:
    """What is done with every record of a source."""

    def __init__(self, name: str, source: Source) -> None:
        records = source.mapping or source.narrative
        assert records is not None
        self._source, self._records = source, records
        self._fields = [(key, maker(value)) for key, value in records.fields.items()]
        self._cuts = [cutter(split) for split in records.text_split]
        self._screen = screen(source.filters.where)
        roles = Roles(source.roles)
        self._speak = (
            _turns(records, roles) if isinstance(records, Mapping) else _story(records, name, source.seed)
        )
        self._aside = [(why, maker(value)) for why, value in getattr(records, "aside", {}).items()]
        self._id, self._title, self._rating = map(_optional, (records.id, records.title, records.rating))
        self._created = _optional(records.created_at) if records.created_at else None
        self._author, self._intensity = map(_optional, (records.author, records.intensity))
        self._flags = [PLAIN_TEXT] if isinstance(records, Narrative) and records.stands_alone else []

    def exploded(self, record: Record, level: int | None = None) -> Iterator[Record | Left]:
        """The records that the lists of a record hold, behind the first `level` explodes (None: all)."""
        yield from _explode(record, list(self._records.explode)[:level])

    def conversations(self, record: Record) -> Iterator[ParsedConversation | Left]:
        """What one exploded record gives: one conversation, one for each branch, or why there is none."""
        try:
            record = self._with_fields(record)
            reason = self._screen(record)
            if reason is not None:
                yield Left(reason)
                return
            for number, spoken in enumerate(self._speak(record)):
                yield self._conversation(record, spoken, number)
        except NoText as nothing:
            yield Left(nothing.reason)

    def _with_fields(self, record: Record) -> Record:
        if not self._cuts and not self._fields:
            return record
        made = dict(record)
        for cut in self._cuts:
            made.update({name: text for name, text in cut(made) if name})
        for name, make in self._fields:
            try:
                made[name] = make(made)
            except NoText:
                made[name] = None
        return made

    def _conversation(self, record: Record, spoken: Spoken, number: int) -> ParsedConversation | Left:
        if not any(role == "assistant" for role, _ in spoken.turns):
            return Left("no_reply")
        rating = self._rating(record)
        parsed = ParsedConversation(
            messages=[ParsedMessage(role, text) for role, text in spoken.turns],
            set_aside=spoken.aside,
            flags=list(self._flags),
            title=self._title(record),
            category=self._source.category,
        )
        self._attribute(parsed, record)
        if self._created is not None:
            self._date(parsed, self._created(record))
        said = self._id(record)
        if said is not None:
            parsed.native_id = f"{said}#{number}" if number else said
        if rating is not None and _is_number(rating):
            last = next(message for message in reversed(parsed.messages) if message.role == "assistant")
            last.rating = rating
        for reason, make in self._aside:
            try:
                make(record)
            except NoText:
                continue
            parsed.set_aside[reason] += 1
        return parsed

    def _attribute(self, parsed: ParsedConversation, record: Record) -> None:
        """Who speaks in the replies, and how much of them it is, where the source says so."""
        author, intensity = self._author(record), self._intensity(record)
        for message in parsed.messages:
            if message.role == "assistant":
                message.author, message.intensity = author, intensity

    @staticmethod
    def _date(parsed: ParsedConversation, said: str | None) -> None:
        parsed.created = None if said is None else declared_microseconds(said)
        if parsed.created is None:
            parsed.warnings.append(WITHOUT_TIME if said is None else NOT_A_TIME)


def _turns(mapping: Mapping, roles: Roles) -> Speak:
    """The turns in order; a tree among them multiplies the conversation by its branches."""
    parts: list[Any] = [branches(t.tree, roles) if t.tree else speaker(t, roles) for t in mapping.turns]
    trees = [turn.tree is not None for turn in mapping.turns]
    if not any(trees):

        def once(record: Record) -> Iterator[Spoken]:
            spoken = Spoken()
            for part in parts:
                part(record, spoken)
            yield spoken

        return once
    place = trees.index(True)

    def every(record: Record) -> Iterator[Spoken]:
        for branch in parts[place](record):
            spoken = Spoken()
            for part in parts[:place]:
                part(record, spoken)
            spoken.turns += branch.turns
            spoken.aside += branch.aside
            for part in parts[place + 1 :]:
                part(record, spoken)
            yield spoken

    return every


def _story(narrative: Narrative, name: str, seed: int) -> Speak:
    make, prompts = maker(narrative.text), narrative.prompts

    def tell(record: Record) -> Iterator[Spoken]:
        story = make(record)
        asked: list[tuple[str, str]] = []
        if not narrative.stands_alone:
            draw = int(hash_fields(seed, "prompt", name, story)[:12], 16)
            asked = [("user", prompts[draw % len(prompts)])]
        yield Spoken([*asked, ("assistant", story)])

    return tell


def _explode(record: Record, paths: list[str]) -> Iterator[Record | Left]:
    if not paths:
        yield record
        return
    path, *rest = paths
    found = record if path == ALL else getter(path)(record)
    if isinstance(found, dict) and found:
        pairs = [(str(key), item) for key, item in found.items() if not str(key).startswith("@")]
    else:
        try:
            pairs = [(str(number), item) for number, item in enumerate(listed(found, path))]
        except NoText as nothing:
            yield Left(nothing.reason)
            return
    for key, item in pairs:
        if path == ALL:
            kept = {name: value for name, value in record.items() if name.startswith("@")}
            inner = {**kept, **(item if isinstance(item, dict) else {"value": item})}
        else:
            inner = replaced(record, path, item)
        yield from _explode({**inner, KEY: key}, rest)


def _optional(value: Value | None) -> Callable[[Record], str | None]:
    if value is None:
        return lambda record: None
    make: Maker = maker(value)

    def said(record: Record) -> str | None:
        try:
            return make(record)
        except NoText:
            return None

    return said


def _is_number(text: str) -> bool:
    try:
        number = float(text) if len(text) < _NUMBER_CHARS else float("nan")
    except ValueError:
        return False
    return number == number and abs(number) != float("inf")
