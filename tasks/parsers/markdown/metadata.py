"""`Key: value` lines: the dates, speakers, intensities and titles that stand before a conversation's turns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tasks.parsers.markdown.marks import LONGEST_NAME, bare_name, fold, is_rule
from tasks.parsers.markdown.values import NotAnIntensity, intensity_of, looks_like_intensity, on_day, time_of

DATE, INTENSITY, SPEAKERS, HUMAN, AI, TITLE = "date", "intensity", "speakers", "human", "ai", "title"
_KEYS = {
    DATE: "date, data, created, created at, when, cand, day, ziua, zi, timestamp, datetime, time, data si ora, "
    "date and time, date/time, ora",
    INTENSITY: "intensity, intensitate, intensitatea, intensity level, level, nivel, nivelul, nivel intensitate, "
    "nivel de intensitate, intensity label, emotional intensity, intensitate emotionala",
    SPEAKERS: "speakers, speaker, participants, participanti, participantii, participant, vorbitori, vorbitorii, "
    "vorbitor, interlocutori, voices, voci, characters, personaje, members, membri",
    HUMAN: "human, humans, om, omul, oameni, user, users, utilizator, utilizatori, person, persoana",
    AI: "ai, ais, assistant, assistants, asistent, asistenti, asistenta, model, models",
    TITLE: "title, titlu, titlul, topic, subject, subiect, tema",
}  # fmt: skip
KEYS = {key: kind for kind, names in _KEYS.items() for key in names.split(", ")}
_PAIR = re.compile(r"([^:=|]{1,80}?)[ \t]*([:=]|(?<=\*)[ \t]*[—–])[ \t]*(.*)$", re.DOTALL)
_MARKS = re.compile(r"^[ \t]*(?:>[ \t]?)*[ \t]*(?:[-*+•][ \t]+)?")
_COMMENT = re.compile(r"<!--|-->")
_PARTS = re.compile(r"[ \t]*(?:\||·|•|;)[ \t]*")
_LISTED = re.compile(r"[,;&/+]|\bși\b|\bsi\b|\bşi\b|\band\b|\bcu\b|\bwith\b", re.IGNORECASE)
_REMARK = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_SHARE = re.compile(r"^(.{1,60}?)[ \t]*[=: ][ \t]*([+-]?[\d.,]+[ \t]*(?:%|/[ \t]*\d+)?|[^\d=:]{1,20})$")
_KEYED = re.compile(r"^(?:intensity|intensitate|intensitatea)[ \t]*[:= ][ \t]*(.+)$")
_KEYED_LEVEL = re.compile(r"^(?:int\.?|nivel|level)[ \t]*[:=][ \t]*(.+)$")
_LONGEST = 2000


@dataclass(slots=True)
class Metadata:
    """What is known of a file or a conversation. Names are folded, intensities are numbers as text."""

    title: str | None = None
    created: int | None = None
    intensity: str | None = None
    of_speaker: dict[str, str] = field(default_factory=dict)
    speakers: set[str] = field(default_factory=set)
    humans: set[str] = field(default_factory=set)
    assistants: set[str] = field(default_factory=set)
    bad_intensities: int = 0
    bad_dates: int = 0
    found: int = 0  # lines, or pieces of lines, that said one of these

    def inside(self, outer: Metadata) -> Metadata:
        """This, and where it says nothing what `outer` says; counts and titles are its own."""
        return Metadata(
            self.title,
            outer.created if self.created is None else self.created,
            outer.intensity if self.intensity is None else self.intensity,
            {**outer.of_speaker, **self.of_speaker} if self.intensity is None else dict(self.of_speaker),
            self.speakers or outer.speakers,
            (outer.humans - self.assistants) | self.humans,
            (outer.assistants - self.humans) | self.assistants,
            self.bad_intensities,
            self.bad_dates,
            self.found,
        )

    @property
    def declared(self) -> set[str]:
        """Every name that stands as somebody's."""
        return self.speakers | self.humans | self.assistants | self.of_speaker.keys()

    def set_intensity(self, text: str, speaker: str | None = None) -> None:
        """Keep an intensity, or count that it is none."""
        try:
            number = intensity_of(text)
        except NotAnIntensity:
            self.bad_intensities += 1
            return
        if speaker is None:
            self.intensity = number
        else:
            self.of_speaker[speaker] = number


class MetadataReader:
    """Takes lines that stand before the first turn; a key with nothing behind it rules the list below it."""

    def __init__(self, into: Metadata, names: frozenset[str] | set[str] = frozenset()) -> None:
        self._into, self._names = into, names
        self._above: str | None = None

    def take(self, line: str) -> bool:
        """Whether the line is metadata; then it is kept."""
        if len(line) > _LONGEST:
            return False
        stripped = _bare(line)
        if not stripped or is_rule(line) or not stripped.strip("|-: "):
            return True
        taken = [self._piece(piece) for piece in pieces_of(stripped)]
        if not any(taken) and (moment := time_of(stripped)) is not None and is_bare_date(stripped):
            self._into.created, taken = moment, [True]
        self._into.found += sum(taken)
        return all(taken)

    def _piece(self, piece: str) -> bool:
        pair = pair_of(piece)
        if pair is None:
            return self._above in (SPEAKERS, HUMAN, AI) and self._names_below(piece)
        key, value = pair
        kind = KEYS.get(fold(key))
        if kind is None:
            return self._of_speaker(key, value)
        self._above = None if value else kind
        if value:
            self._known(kind, value)
        return True

    def _known(self, kind: str, value: str) -> None:
        into = self._into
        if kind == TITLE:
            into.title = value
        elif kind == DATE:
            moment = time_of(value)
            moment = on_day(into.created, value) if moment is None else moment
            into.created = moment if moment is not None else into.created
            into.bad_dates += moment is None
        elif kind == INTENSITY:
            self._intensities(value)
        else:
            self._speakers(kind, value)

    def _intensities(self, value: str) -> None:
        shares = [_SHARE.match(each.strip(" []{}*_")) for each in re.split(r"[;|]|,(?!\d)", value)]
        if looks_like_intensity(value) or not all(shares):
            self._into.set_intensity(value)
            return
        for share in shares:
            assert share is not None
            self._into.set_intensity(share[2], fold(bare_name(share[1])))

    def _speakers(self, kind: str, value: str) -> None:
        for each in listed_names(value):
            remarks = [found.strip() for found in _REMARK.findall(each)]
            name = next(iter(named_in(each)), "")
            if not name or len(name) > LONGEST_NAME:
                continue
            if kind == SPEAKERS:
                self._into.speakers.add(name)
            kinds = {kind, *(KEYS.get(fold(remark)) for remark in remarks)}
            if HUMAN in kinds:
                self._into.humans.add(name)
            if AI in kinds:
                self._into.assistants.add(name)
            for remark in remarks:
                if (told := keyed_intensity(remark)) or looks_like_intensity(remark):
                    self._into.set_intensity(told or remark, name)

    def _names_below(self, piece: str) -> bool:
        self._speakers(self._above or SPEAKERS, piece)
        return True

    def _of_speaker(self, key: str, value: str) -> bool:
        """`Sora: 0.9`: of somebody who is known, or below `Intensity:`, or a number that can be nothing else."""
        name = fold(bare_name(key))
        if not name or not looks_like_intensity(value):
            return False
        if self._above == INTENSITY or name in self._names or name in self._into.speakers:
            self._into.set_intensity(value, name)
            return True
        return False


def pieces_of(line: str) -> Iterator[str]:
    """The pieces of a line that holds several pairs (`Date: x | Intensity: y`, a row of a table); else the line."""
    inner = line.strip("| \t")
    parts = [part for part in _PARTS.split(inner) if part.strip()]
    if line.startswith("|") and len(parts) == 2 and fold(parts[0].strip("*_` ")) in KEYS:
        yield f"{parts[0]}: {parts[1]}"
        return
    pairs = [pair_of(part) for part in parts]
    if len(parts) > 1 and all(pair is not None for pair in pairs):
        yield from parts
    else:
        yield line


def pair_of(line: str) -> tuple[str, str] | None:
    """Key and value of `Key: value`, marks of emphasis, lists and quotes gone."""
    found = _PAIR.match(_MARKS.sub("", line[:_LONGEST]))
    if not found:
        return None
    key = bare_name(found[1].strip("*_`\"' \t"))
    if not key or (found[2] == "=" and fold(key) not in KEYS):
        return None
    return key, found[3].strip("*_`\"' \t")


def is_metadata(line: str) -> bool:
    """Whether a line says something that is known, by its key: enough to see that a conversation begins here."""
    inner = _bare(line)
    if not inner or len(inner) > _LONGEST:
        return False
    pairs = [pair_of(piece) for piece in pieces_of(inner)]
    return any(pair is not None and fold(pair[0]) in KEYS for pair in pairs) or is_bare_date(inner)


def _bare(line: str) -> str:
    """A line without the marks of a comment, or the brackets and emphasis around all of it."""
    inner = _COMMENT.sub(" ", line).strip()
    plain = inner.strip("*_ ")
    return plain[1:-1] if plain[:1] + plain[-1:] in ("()", "[]") and plain[1:-1].isprintable() else inner


def is_bare_date(line: str) -> bool:
    """Whether a line is a date, in emphasis or brackets perhaps, and nothing else."""
    return len(line) < LONGEST_NAME and line.strip("*_()[]<>!- ")[:1] != "" and _only_date(line)


def _only_date(line: str) -> bool:
    words = re.findall(r"[^\W\d_]+", line)
    return time_of(line) is not None and len(words) <= 3 and ":" not in line.partition(" ")[0]


def keyed_intensity(text: str) -> str | None:
    """What stands behind `intensity:` in a remark."""
    said = fold(text.strip("*_` "))
    if found := _KEYED.match(said):
        return found[1]
    found = _KEYED_LEVEL.match(said)
    return found[1] if found and looks_like_intensity(found[1]) else None


def named_in(value: str) -> list[str]:
    """The folded names in a list of people, without what stands in brackets beside them."""
    found = (
        fold(bare_name(_REMARK.sub("", each).strip("*_`\"' "))) for each in listed_names(value[:_LONGEST])
    )
    return [name for name in found if name]


def listed_names(value: str) -> list[str]:
    """The names in `Ana, Sora și Lumin`; a comma in brackets parts nothing."""
    value = value.strip()
    if value[:1] == "[" and value[-1:] == "]":
        value = value[1:-1]
    hidden = _REMARK.sub(
        lambda found: found[0].replace(",", "\0").replace("/", "\1").replace(";", "\2"), value
    )
    parts = (part.replace("\0", ",").replace("\1", "/").replace("\2", ";") for part in _LISTED.split(hidden))
    return [part.strip() for part in parts if part.strip(" -*_")]
