"""Who says what in a conversation: which of the lines that look like the opening of a turn are one."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tasks.parsers.markdown.bodies import body_of, is_known
from tasks.parsers.markdown.layout import could_be_name, lists_people
from tasks.parsers.markdown.lines import Fences, ListedLines
from tasks.parsers.markdown.marks import Opener, fence_of, fold, heading_of, opener_of
from tasks.parsers.markdown.metadata import (
    AI,
    HUMAN,
    KEYS,
    Metadata,
    MetadataReader,
    is_metadata,
    pair_of,
)
from tasks.parsers.markdown.roles import ROLE_WORDS, TRIBE
from tasks.parsers.markdown.values import looks_like_intensity

_MOST_KEY_WORDS = 4
_FORMS = {"bold": 1, "bare": 1, "plain": 2, "heading": 3}


@dataclass(slots=True)
class Spoken:
    """A turn as it stands in the file: the opener's name and remarks, and the lines that are its text."""

    opener: Opener
    lines: list[str]


@dataclass(slots=True)
class Reading:
    """A conversation taken apart.

    `prose` and `unknown` are what stands before the first turn and says nothing known: whether there is text, and how
    many `Key: value` lines. `doubtful` counts lines that look like turns of people whom nobody declared.
    """

    about: Metadata
    turns: list[Spoken] = field(default_factory=list)
    prose: bool = False
    unknown: int = 0
    doubtful: int = 0


def read_turns(lines: Sequence[str], outer: Metadata, names: frozenset[str] = frozenset()) -> Reading:
    """Take the lines below a conversation's heading apart.

    `outer` is what the file says of all of them, `names` (folded) open turns somewhere in it.
    """
    candidates, fenced = _candidates(lines)
    reading = Reading(Metadata())
    named = {fold(opener.name) for _, opener in candidates} | names
    _head(lines, fenced, candidates, named, reading, outer)
    accepted = _accepted(lines, _without_metadata(lines, candidates, named), reading, outer)
    places = [place for place, _ in accepted]
    first = places[0] if places else len(lines)
    # Only now it is known where the turns begin: what was read of them as metadata is read again without.
    known = {fold(opener.name) for _, opener in accepted}
    hidden = known | reading.about.declared | outer.declared
    reading.about = Metadata()
    _head(lines[:first], fenced[:first], candidates, named, reading, outer, known)
    for (place, opener), end in zip(accepted, [*places, len(lines)][1:], strict=True):
        body = body_of(opener, lines[place + 1 : end], fenced[place + 1 : end], hidden)
        reading.turns.append(Spoken(opener, body))
    return reading


def _candidates(lines: Sequence[str]) -> tuple[list[tuple[int, Opener]], list[bool]]:
    """Lines outside of fences that look like the opening of a turn, and which lines stand in fences."""
    listed = ListedLines(lines)
    fences = Fences(listed)
    found, fenced = [], []
    for place, line in enumerate(lines):
        listed.at = place + 1
        inside = fences.holds(line)
        fenced.append(inside)
        # A fence may begin behind the name, on the same line.
        if inside and (fence_of(line) is None or line.lstrip("> \t")[:1] in "`~"):
            continue
        if line and (line[0] in "#*_->+•[ " or ":" in line[:200]) and (opener := opener_of(line)):
            found.append((place, opener))
    return found, fenced


def _head(
    lines: Sequence[str],
    fenced: Sequence[bool],
    candidates: Sequence[tuple[int, Opener]],
    names: set[str],
    reading: Reading,
    outer: Metadata,
    speaking: set[str] | None = None,
) -> None:
    """Read what stands before the first turn; or at least the metadata at its beginning, while it is not yet known
    which of the `names` are `speaking`."""
    openers = dict(candidates)
    reader = MetadataReader(reading.about, names | outer.declared | TRIBE)
    names = names if speaking is None else speaking
    reading.prose, reading.unknown = False, 0
    for place, line in enumerate(lines):
        # Headings before the first turn are titles; they say nothing that a message could.
        if (
            not line.strip()
            or (fenced[place] and fence_of(line))
            or (not fenced[place] and _is_title(line, names))
        ):
            continue
        if _is_said(line, names) or (
            (opener := openers.get(place)) and _opens(opener, names, reading.about, outer)
        ):
            return
        if reader.take(line):
            continue
        pair = pair_of(line)
        if pair is not None and len(pair[0].split()) <= _MOST_KEY_WORDS:
            reading.unknown += 1
        else:
            reading.prose = True


def _is_title(line: str, names: set[str]) -> bool:
    opener = opener_of(line) if heading_of(line) else None
    return heading_of(line) is not None and (opener is None or fold(opener.name) not in names)


def _is_said(line: str, names: set[str]) -> bool:
    """Whether a line such as `User: hello` is a turn: it is metadata when it names people who speak."""
    pair = pair_of(line) if len(line) < 1000 else None
    if pair is None or KEYS.get(fold(pair[0])) not in (HUMAN, AI):
        return False
    return fold(pair[0]) in names and not lists_people(line, names)


def _opens(opener: Opener, names: set[str], about: Metadata, outer: Metadata) -> bool:
    name = fold(opener.name)
    if name in KEYS or name not in names:
        return False
    if (
        name not in TRIBE
        and name not in about.declared
        and name not in outer.declared
        and name not in ROLE_WORDS
    ):
        return False
    return not looks_like_intensity(opener.rest)


def _accepted(
    lines: Sequence[str], candidates: Sequence[tuple[int, Opener]], reading: Reading, outer: Metadata
) -> list[tuple[int, Opener]]:
    """The candidates that open turns.

    Declared names do, and words for roles, and the tribe's; a name with an intensity beside it; and where nobody is
    declared, names that come again behind somebody else's turn, or stand right before the first known one, each in
    the form in which the known ones are written.
    """
    declared = reading.about.declared | outer.declared
    sure, open_ = [], []
    for place, opener in candidates:
        if is_known(opener, declared) and _stands_alone(lines, place, opener, candidates):
            sure.append((place, opener))
        elif could_be_name(opener) and opener.form != "bare":
            open_.append((place, opener))
    if reading.about.speakers or outer.speakers:
        counts = Counter(fold(opener.name) for _, opener in open_)
        first = sure[0][0] if sure else len(lines)
        reading.doubtful = sum(place > first and counts[fold(o.name)] > 1 for place, o in open_)
        return sure
    return _with_recurring(lines, sure, open_)


def _without_metadata(
    lines: Sequence[str], candidates: Sequence[tuple[int, Opener]], names: set[str]
) -> list[tuple[int, Opener]]:
    """The candidates without the metadata before the first turn; behind it `Sora: 0.9` is what somebody says."""
    for number, (place, opener) in enumerate(candidates):
        if not _is_metadata(lines, place, opener, names) and fold(opener.name) in names:
            return [c for c in candidates[number:] if KEYS.get(fold(c[1].name), HUMAN) in (HUMAN, AI)]
    return []


def _is_metadata(lines: Sequence[str], place: int, opener: Opener, names: set[str]) -> bool:
    """Whether `Human: Cezar`, `Sora: 0.9` or `Intensity: high` is no turn."""
    kind = KEYS.get(fold(opener.name))
    if opener.form == "heading":
        return False
    if kind is not None:
        return kind not in (HUMAN, AI) or lists_people(lines[place], names)
    if not looks_like_intensity(opener.rest):
        return False
    # `Sora: high` may be an answer, unless it stands in one block with other metadata.
    return _is_number(opener.rest) or any(map(is_metadata, _paragraph(lines, place)))


def _is_number(text: str) -> bool:
    return text[:1].isdigit() and ("." in text or "%" in text or "," in text or "/" in text)


def _stands_alone(
    lines: Sequence[str], place: int, opener: Opener, candidates: Sequence[tuple[int, Opener]]
) -> bool:
    """Whether an item of a list is a turn and not one line of a list that somebody writes.

    Where the first turn of the conversation is an item all are; else it must be the only item around. In quotes the
    same holds of plain names.
    """
    first = candidates[0][1]
    if opener.quote and not opener.item:
        return opener.form != "plain" or first.quote
    if not opener.item or first.item:
        return True
    if opener.form == "plain":
        return False
    before = next((lines[n] for n in range(place - 1, max(place - 4, -1), -1) if lines[n].strip()), "")
    after = next((lines[n] for n in range(place + 1, min(place + 4, len(lines))) if lines[n].strip()), "")
    listed = ("- ", "* ", "+ ", "• ")
    return not before.rstrip().endswith(":") and not any(near.startswith(listed) for near in (before, after))


def _with_recurring(
    lines: Sequence[str], sure: list[tuple[int, Opener]], open_: list[tuple[int, Opener]]
) -> list[tuple[int, Opener]]:
    forms = {_shape(opener) for _, opener in sure}
    like = [(place, o) for place, o in open_ if not forms or _shape(o) in forms]
    order = sorted([*sure, *like], key=lambda each: each[0])
    names = [fold(opener.name) for _, opener in order]
    known = {fold(opener.name) for _, opener in sure}
    again = {name for name, count in Counter(names).items() if count > 1 and name not in known}
    # Between two turns of one person somebody else speaks; two notes in one answer have nobody between them.
    speaking = [name for name in names if name in known or name in again]
    parted = {b for a, b in itertools.pairwise(speaking) if a != b and b in again}
    parted = {name for name in parted if _comes_back(speaking, name)}
    taken = known | parted
    if known or parted:
        begun = next(number for number, name in enumerate(names) if name in taken)
        among_metadata = begun and any(map(is_metadata, _paragraph(lines, order[begun - 1][0])))
        # Whoever asks first may ask only once. Among metadata it may be a key, unless nobody else is there to ask.
        if begun and (not among_metadata or taken <= TRIBE):
            taken.add(names[begun - 1])
    return [each for each, name in zip(order, names, strict=True) if name in taken]


def _comes_back(speaking: Sequence[str], name: str) -> bool:
    places = [place for place, other in enumerate(speaking) if other == name]
    return any(b - a > 1 for a, b in itertools.pairwise(places))


def _paragraph(lines: Sequence[str], place: int) -> Sequence[str]:
    """The lines before this one that no blank line parts from it."""
    start = place
    while start and lines[start - 1].strip() and not heading_of(lines[start - 1]):
        start -= 1
    return lines[start:place]


def _shape(opener: Opener) -> tuple[int, bool, bool]:
    return _FORMS[opener.form], opener.quote, bool(opener.item)
