"""The turns of a conversation, from a record: single ones, those of a list, of a text that is cut, of a tree."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.settings.mapping import Each, TextSplit, Tree, Turn, Value
from tasks.parsers.contract import ROLE_NAMES
from tasks.parsers.declared.calls import beside
from tasks.parsers.declared.paths import MISSING, Record, getter
from tasks.parsers.declared.splitting import cutter
from tasks.parsers.declared.values import Maker, NoText, maker, paths_of

ROLE_KEYS = ("role", "from", "speaker")
TEXT_KEYS = ("content", "value", "text", "utterance")
SINGLE = ("system", "user", "assistant", "tool_call", "tool")
SKIP = "skip"
#: No tree is deeper.
_DEEPEST = 500


@dataclass(slots=True)
class Spoken:
    """Role and text of each turn, and why others were left out."""

    turns: list[tuple[str, str]] = field(default_factory=list)
    aside: Counter[str] = field(default_factory=Counter)


#: Adds the turns of a record; raises NoText when one that is needed is not there.
Speaker = Callable[[Record, Spoken], None]
#: The values of an element in which its typed parts may stand.
Contents = Callable[[Record], tuple[Any, ...]]


class Roles:
    """From a word for a role to ours: the source's own words first."""

    def __init__(self, own: Mapping[str, str]) -> None:
        self._own = {**{word.strip().lower(): role for word, role in own.items()}, **own}

    def of(self, word: object) -> str:
        """Our name; `skip` where the source says so; empty when nobody knows the word."""
        if isinstance(word, str):
            known = self._own.get(word) or self._own.get(word.strip().lower())
            return known or ROLE_NAMES.get(word.strip().lower(), "")
        if isinstance(word, bool):
            return self._own.get("true" if word else "false", "")
        return self._own.get(str(word), "") if isinstance(word, (int, float)) else ""


def speaker(turn: Turn, roles: Roles) -> Speaker:
    """What adds this turn, or these turns."""
    if turn.each is not None:
        return _each(turn.each, roles, turn.optional)
    if turn.text_split is not None:
        return _cut(turn.text_split, roles, turn.optional)
    assert turn.tree is None, "a tree has branches: see `branches`"
    role = next(name for name in SINGLE if getattr(turn, name) is not None)
    return _single(role, maker(getattr(turn, role)), turn.optional or role == "system")


def branches(tree: Tree, roles: Roles) -> Callable[[Record], Iterator[Spoken]]:
    """The branches of a record's tree that are taken. They raise NoText when there is no tree."""
    root = getter(tree.path) if tree.path else lambda record: record
    replies, role, text = getter(tree.replies), getter(tree.role), maker(tree.text)
    rank = getter(tree.rank) if tree.rank else None
    contents = _contents(tree.text)

    def walk(node: Any, before: list[Any]) -> Iterator[list[Any]]:
        path = [*before, node]
        inner = replies(node)
        below = [reply for reply in inner if isinstance(reply, dict)] if isinstance(inner, list) else []
        if not below or len(path) > _DEEPEST:
            yield path
        elif tree.branches == "all":
            for reply in below:
                yield from walk(reply, path)
        else:
            yield from walk(_best(below, rank), path)

    def every(record: Record) -> Iterator[Spoken]:
        found = root(record)
        if not isinstance(found, dict):
            raise NoText(f"missing:{tree.path}" if found is MISSING else f"no_tree:{tree.path}")
        for path in walk(found, []):
            spoken = Spoken()
            for node in path:
                _take(spoken, roles.of(role(node)), node, text, contents)
            yield spoken

    return every


def _best(replies: list[Any], rank: Callable[[Record], Any] | None) -> Any:
    """The reply of the lowest rank; without ranks the first."""
    if rank is None:
        return replies[0]
    ranked = [(found, n) for n, reply in enumerate(replies) if isinstance(found := rank(reply), (int, float))]
    return replies[min(ranked)[1]] if ranked else replies[0]


def _single(role: str, make: Maker, optional: bool) -> Speaker:
    def speak(record: Record, spoken: Spoken) -> None:
        try:
            spoken.turns.append((role, make(record)))
        except NoText:
            if not optional:
                raise

    return speak


def listed(found: Any, path: str) -> list[Any]:
    """A list that stands in a record, if as JSON text. Raises NoText."""
    if isinstance(found, str) and found.lstrip()[:1] in ("[", "{"):
        try:
            found = json.loads(found)
        except ValueError:
            raise NoText(f"no_list:{path}") from None
    if isinstance(found, list) and found:
        return found
    if found is MISSING:
        raise NoText(f"missing:{path}")
    raise NoText(f"empty:{path}" if found in (None, "", [], {}) else f"no_list:{path}")


def _each(each: Each, roles: Roles, optional: bool) -> Speaker:
    get = getter(each.path)
    role = getter(each.role) if each.role else None
    text = maker(each.text) if each.text else None
    contents = _contents(each.text)

    def speak(record: Record, spoken: Spoken) -> None:
        try:
            items = listed(get(record), each.path)
        except NoText:
            if optional:
                return
            raise
        for number, item in enumerate(flat(items)):
            known = each.alternate[number % len(each.alternate)] if each.alternate else ""
            if isinstance(item, dict):
                word = role(item) if role else next((item[key] for key in ROLE_KEYS if key in item), None)
                _take(spoken, known or roles.of(word), item, text or _usual_text, contents)
            elif known:
                _take(spoken, known, {"text": item}, _usual_text)
            else:
                spoken.aside["null" if item is None else "malformed"] += 1

    return speak


def flat(items: list[Any]) -> Iterator[Any]:
    """Elements; those of inner lists (rounds, pairs) one by one."""
    for item in items:
        if isinstance(item, list):
            yield from flat(item)
        else:
            yield item


def _take(spoken: Spoken, role: str, item: Record, text: Maker, contents: Contents = lambda item: ()) -> None:
    if role in ("", SKIP):
        spoken.aside["skipped_role" if role else "unknown_role"] += 1
        return
    results, calls = beside(role, item, contents(item))
    spoken.turns += [("tool", result) for result in results]
    try:
        spoken.turns.append((role, text(item)))
    except NoText as nothing:
        if not (results or calls):
            asked = item.get("tool_calls") or item.get("function_call")
            spoken.aside["tool_call" if asked else nothing.reason] += 1
    spoken.turns += [("tool_call", call) for call in calls]


def _contents(text: Value | None) -> Contents:
    """Where typed parts may stand: where the text stands."""
    paths = TEXT_KEYS if text is None else [path for paths in paths_of(text) for path in paths]
    getters = [getter(path) for path in paths]
    return lambda item: tuple(get(item) for get in getters)


_USUAL = {key: maker(Value(path=key)) for key in TEXT_KEYS}


def _usual_text(item: Record) -> str:
    for key, make in _USUAL.items():
        if item.get(key) is not None:
            return make(item)
    raise NoText("empty:" + "/".join(TEXT_KEYS))


def _cut(split: TextSplit, roles: Roles, optional: bool) -> Speaker:
    cut = cutter(split, round_robin=True)

    def speak(record: Record, spoken: Spoken) -> None:
        try:
            pieces = cut(record)
        except NoText:
            if optional:
                return
            raise
        for name, text in pieces:
            role = roles.of(name) if name else ""
            if not name:
                spoken.aside["before_first_marker"] += 1
            elif role in ("", SKIP):
                spoken.aside["skipped_role" if role else "unknown_role"] += 1
            elif not text:
                spoken.aside["empty"] += 1
            else:
                spoken.turns.append((role, text))

    return speak
