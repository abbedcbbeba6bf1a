"""Where conversations begin in a file: which headings, or which rules. Decided from the file's beginning."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tasks.parsers.markdown.lines import Ahead, Fences, ListedLines
from tasks.parsers.markdown.marks import (
    LOWEST,
    Heading,
    Opener,
    fence_of,
    fold,
    heading_of,
    is_rule,
    opener_of,
)
from tasks.parsers.markdown.metadata import (
    AI,
    HUMAN,
    KEYS,
    SPEAKERS,
    Metadata,
    MetadataReader,
    is_metadata,
    keyed_intensity,
    named_in,
    pair_of,
)
from tasks.parsers.markdown.roles import ROLE_WORDS, TRIBE
from tasks.parsers.markdown.values import time_of

#: Words that stand before a colon in anybody's text and are nobody's name (folded).
_LABELS = """
    note nota notes example exemplu exemple tip tips sfat sfaturi important warning atentie attention step pas pasul
    option optiune optiunea answer question raspuns raspunsul intrebare intrebarea pro contra con pros cons ps summary
    rezumat todo update edit cod code output input result rezultat conclusion concluzie remember hint idee idea ex
    obs observatie ingrediente ingredients reteta titlu sursa source link url http https fisier file scop goal purpose
"""
NO_NAMES = frozenset(_LABELS.split()) | {"key takeaway", "for example", "de exemplu", "pe scurt", "in short"}
_CONVERSATION = re.compile(
    r"(?<!\w)(?:conversati[ae]|conversatiile|conversation|convorbire[a]?|dialog(?:ue|ul)?|discuti[ae]|chat|sesiune[a]?|session|"
    r"conv\.?|episod(?:ul)?|episode|scena|scene|capitol(?:ul)?)\s*(?P<number>(?:nr\.?|no\.?|number|#)?\s*\d+\b|$)"
)
_NUMBERED = re.compile(r"(?:#\s?)?\d{1,5}\s*(?:[.):—–-]|$)")
_SKIPPED = 12  # lines that are blank, rules or comments between a heading and what it heads
_FRONT_LINES = 60


@dataclass(frozen=True, slots=True)
class Layout:
    """`level` of the headings at which conversations begin; 0: at rules; None: the file is one conversation.

    `every` heading of that level begins one, whatever it says and whatever follows it. `names` (folded) open turns in
    the file's beginning.
    """

    level: int | None
    every: bool
    names: frozenset[str]

    def begins(self, heading: Heading, lines: Ahead) -> bool:
        """Whether a conversation begins at this heading, the lines below it being ahead."""
        if heading.level != self.level:
            return False
        return self.every or is_explicit(heading.text) or heads(lines, self.names)

    def parts(self, heading: Heading, lines: Ahead) -> bool:
        """Whether this heading, of a higher level, stands over conversations (a month, a part of the file)."""
        if not self.level or heading.level >= self.level:
            return False
        below = _first_below(lines)
        under = heading_of(below[1]) if below else None
        return below is not None and (is_metadata(below[1]) if under is None else under.level == self.level)


@dataclass(frozen=True, slots=True)
class Shifted:
    """The same lines, some of them passed."""

    lines: Ahead
    by: int

    def ahead(self, distance: int) -> str | None:
        """The line at a distance, 0 being the next; None behind the end."""
        return self.lines.ahead(distance + self.by)


def is_explicit(title: str) -> bool:
    """Whether a heading says by itself that it is a conversation's: by word and number, or by a date."""
    said = fold(title.strip("*_ "))
    return bool(_CONVERSATION.search(said) or _NUMBERED.match(said)) or time_of(title) is not None


def is_counted(title: str) -> bool:
    """Whether a title has the word for a conversation with a number, or a date: few other headings have."""
    found = _CONVERSATION.search(fold(title))
    return bool(found and found["number"]) or time_of(title) is not None


def heads(lines: Ahead, names: frozenset[str]) -> bool:
    """Whether metadata or a turn stands next."""
    below = _first_below(lines)
    if below is None:
        return False
    place, line = below
    if fence_of(line):
        inner = lines.ahead(place + 1)
        return inner is not None and is_metadata(inner)
    opener = opener_of(line)
    # An item below a heading is more often a list about people than a turn of one.
    return is_metadata(line) or (opener is not None and not opener.item and is_turn(opener, names))


def is_turn(opener: Opener | None, names: frozenset[str] | set[str]) -> bool:
    """Whether an opener is a speaker's beyond doubt: by a known name, a word for a role, or an intensity."""
    if opener is None:
        return False
    name = fold(opener.name)
    if name in TRIBE or name in ROLE_WORDS or name in names:
        return True
    return opener.form != "bare" and could_be_name(opener) and any(map(keyed_intensity, opener.remarks))


def lists_people(line: str, names: frozenset[str] | set[str]) -> bool:
    """Whether a line such as `Human: Cezar` says who somebody is: it names people who speak, and is no turn itself."""
    pair = pair_of(line) if len(line) < 1000 else None
    if pair is None or KEYS.get(fold(pair[0])) not in (HUMAN, AI):
        return False
    people = named_in(pair[1])
    return bool(people) and all(name in names for name in people)


def is_front_matter(lines: Ahead, level: int) -> bool:
    """Whether the rule that was just read opens a block of metadata, closed by a rule, over a heading of this level."""
    known = False
    for distance in range(_FRONT_LINES):
        line = lines.ahead(distance)
        if line is None or heading_of(line):
            return False
        if is_rule(line):
            below = _first_below(Shifted(lines, distance + 1))
            heading = heading_of(below[1]) if below else None
            return known and heading is not None and heading.level == level
        if line.strip() and pair_of(line) is None and not line.lstrip().startswith("-"):
            return False
        known = known or is_metadata(line)
    return False


def could_be_name(opener: Opener) -> bool:
    """Whether a name looks like one: capitals, few words, and none of the words that stand before any colon."""
    words = opener.name.split()
    said = fold(opener.name)
    return (
        len(words) <= 3
        and all(word[:1].isupper() or word in ("de", "of", "din") for word in words)
        and not ({said, *said.split()} & NO_NAMES)
        and said not in KEYS
        and not _CONVERSATION.match(said)
    )


def layout_of(lines: Sequence[str]) -> Layout:
    """The layout of a file that begins with these lines."""
    marks = _marks(lines)
    names = _names(lines, marks)
    listed = ListedLines(lines)
    headings: list[
        tuple[int, Heading, bool]
    ] = []  # line, heading, whether it begins a conversation by itself
    turns: list[int] = []
    for place in marks:
        heading, opener = heading_of(lines[place]), opener_of(lines[place])
        if is_turn(opener, names) and not lists_people(lines[place], names):
            turns.append(place)
        elif heading:
            listed.at = place + 1
            headings.append((place, heading, is_explicit(heading.text) or heads(listed, names)))
    level, every = _level(headings, turns)
    if level is None and _at_rules(lines, marks, names, turns):
        level = 0
    return Layout(level, every, names)


def _marks(lines: Sequence[str]) -> list[int]:
    """The numbers of lines outside of fences that may mean something."""
    listed = ListedLines(lines)
    fences, found = Fences(listed), []
    for place, line in enumerate(lines):
        listed.at = place + 1
        if not fences.holds(line) and line and (line[0] in "#*_->+•=[ CcDd" or ":" in line[:120]):
            found.append(place)
    return found


def _names(lines: Sequence[str], marks: Sequence[int]) -> frozenset[str]:
    """Names that are declared somewhere, or open turns more than once."""
    about, seen = Metadata(), Counter[str]()
    people: list[str] = []
    for place in marks:
        line = lines[place]
        pair = pair_of(line) if len(line) < 1000 else None
        kind = KEYS.get(fold(pair[0])) if pair else None
        if kind == SPEAKERS:
            MetadataReader(about).take(line)
        elif kind in (HUMAN, AI) and pair:
            people += named_in(pair[1])
        elif (opener := opener_of(line)) and could_be_name(opener):
            seen[fold(opener.name)] += 1
    often = {name for name, count in seen.items() if count > 1}
    return frozenset(about.declared | often | {name for name in people if name in seen})


def _level(headings: Sequence[tuple[int, Heading, bool]], turns: Sequence[int]) -> tuple[int | None, bool]:
    """The level of which most headings have turns below them before the next one; whether all of that level do."""
    own = Counter(heading.level for heading in _owners([h for h in headings if h[2]], turns, 1))
    if own:
        return max(own, key=lambda level: (own[level], -level)), False
    for level in range(1, LOWEST):
        same = [h for h in headings if h[1].level == level]
        if (
            len(same) > 1
            and (not turns or same[0][0] < turns[0])
            and len(_owners(same, turns, 2)) == len(same)
        ):
            return level, True
    return None, False


def _owners(headings: Sequence[tuple[int, Heading, bool]], turns: Sequence[int], least: int) -> list[Heading]:
    ends = [*(place for place, _, _ in headings), 1 << 62][1:]
    owners, at = [], 0
    for (place, heading, _), end in zip(headings, ends, strict=True):
        while at < len(turns) and turns[at] < place:
            at += 1
        begun = at
        while at < len(turns) and turns[at] < end:
            at += 1
        if at - begun >= least:
            owners.append(heading)
    return owners


def _at_rules(
    lines: Sequence[str], marks: Sequence[int], names: frozenset[str], turns: Sequence[int]
) -> bool:
    """Whether rules part conversations: most have metadata below them, or most pieces have more than one turn."""
    listed = ListedLines(lines)
    pieces: list[int] = [0]
    told = 0
    spoken = set(turns)
    for place in marks:
        if place in spoken:
            pieces[-1] += 1
        elif is_rule(lines[place]):
            listed.at = place + 1
            below = _first_below(listed)
            told += below is not None and is_metadata(below[1])
            if heads(listed, names):
                pieces.append(0)
    full = [count for count in pieces if count]
    return len(pieces) > 1 and (2 * told >= len(pieces) - 1 or 2 * sum(c > 1 for c in full) > len(full))


def _first_below(lines: Ahead) -> tuple[int, str] | None:
    for distance in range(_SKIPPED):
        line = lines.ahead(distance)
        if line is None:
            return None
        if line.strip() and not is_rule(line):
            return distance, line
    return None
