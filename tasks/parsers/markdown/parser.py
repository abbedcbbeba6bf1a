"""The format `corpus_md`: conversations with speakers, intensities and dates in a Markdown file."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.settings import ParseSettings
from schemas.tables import PLAIN_TEXT
from tasks.parsers.contract import ParsedConversation, ParsedMessage, Unparsable
from tasks.parsers.markdown.cutting import HEAD, Conversation, CorpusReader
from tasks.parsers.markdown.layout import is_counted
from tasks.parsers.markdown.marks import fold
from tasks.parsers.markdown.metadata import Metadata, is_metadata, keyed_intensity, pair_of
from tasks.parsers.markdown.roles import ROLE_WORDS, TRIBE, roles_of
from tasks.parsers.markdown.turns import Spoken
from tasks.parsers.markdown.values import NotAnIntensity, intensity_of, looks_like_intensity, on_day, time_of
from tasks.parsers.stream import Broken
from tasks.parsers.window import TextWindow

#: What the account counts over the conversations of a file.
BAD_INTENSITY = "intensities that are no number from 0 to 1 and no word that is known, left empty"
BAD_DATE = "dates that cannot be read, left empty"
GUESSED = "speakers whose role was guessed (say who they are: `Human: name`, `AI: name`)"
NO_PERSON = (
    "conversations in which no person speaks, each a text by itself (a person is named by `Human: name`)"
)
REMARKS = "remarks beside names that say nothing known, left out"
DOUBTFUL = "lines like a turn's opening, of names that `Speakers:` does not list, kept as text"
#: Why something that stood in a file is no message.
BEFORE_FIRST_TURN = "before_first_turn"
UNKNOWN_METADATA = "unknown_metadata"
EMPTY = "empty"
_BESIDE = re.compile(r"[ \t]*[,;|][ \t]*")
_FIRST = re.compile(r"[ \t]*[*_]*[(\[{]([^()\[\]{}\n]{1,60})[)\]}][*_]*[ \t]*")
_LAST = re.compile(r"[ \t\n]*[*_]*[(\[{]([^()\[\]{}\n]{1,60})[)\]}][*_]*[ \t]*\Z")


@dataclass(slots=True)
class _Beside:
    """What the remarks beside a turn say of it."""

    intensity: str | None = None
    created: int | None = None


class MarkdownCorpusParser:
    """Its items are conversations that `CorpusReader` has cut out; no ids, the file's own numbers may come twice."""

    format = "corpus_md"
    provider = "corpus_md"
    broad = False
    has_ids = False
    id_key = b""
    id_pattern = b""
    item_key = b""

    def matches(self, sample: Sequence[object]) -> bool:
        """Nothing that is JSON: see `is_corpus`."""
        return any(isinstance(item, Conversation) for item in sample)

    def is_one_conversation(self, sample: Sequence[object]) -> bool:
        """Never: see the class."""
        return False

    def identify(self, item: object) -> tuple[str, int] | None:
        """Nothing: see the class."""
        return None

    def parse(self, item: object, settings: ParseSettings) -> ParsedConversation:
        """The conversation that was cut out. Raises Unparsable for anything else."""
        if not isinstance(item, Conversation):
            raise Unparsable("not a conversation of a Markdown corpus")
        about, reading = item.about, item.reading
        parsed = ParsedConversation(title=about.title, created=about.created)
        parsed.set_aside = +Counter(
            {
                BEFORE_FIRST_TURN: item.prose + reading.prose,
                UNKNOWN_METADATA: item.unknown + reading.unknown,
            }
        )
        counts = Counter({BAD_INTENSITY: about.bad_intensities, BAD_DATE: about.bad_dates})
        counts[DOUBTFUL] = reading.doubtful
        roles, guessed = roles_of([fold(turn.opener.name) for turn in reading.turns], about)
        counts[GUESSED] = guessed
        if (
            roles and "user" not in roles.values()
        ):  # a letter, a poem, the tribe among themselves: it answers nobody
            parsed.flags.append(PLAIN_TEXT)
            counts[NO_PERSON] = 1
        for turn in reading.turns:
            _take(turn, roles, about, parsed, counts)
        parsed.warnings += (+counts).elements()
        return parsed


def is_corpus(text: str) -> bool:
    """Whether a file that begins with `text` is a corpus: it has turns, and what no other Markdown has with them.

    That is an intensity, a list of speakers, somebody of the tribe, or numbered conversations between two speakers.
    """
    window = TextWindow(io.BytesIO(text[:HEAD].encode("utf-8", "replace")), "utf-8")
    return any(not isinstance(found, Broken) and _is_marked(found) for found in CorpusReader(window))


def _is_marked(found: Conversation) -> bool:
    turns, about = found.reading.turns, found.about
    names = {fold(turn.opener.name) for turn in turns}
    if not any(turn.opener.name[0].isupper() for turn in turns):
        return False
    if about.speakers & names or about.intensity or about.of_speaker:
        return True
    remarks = [remark for turn in turns for remark in turn.opener.remarks]
    if any(_tells_intensity(part) for remark in remarks for part in _BESIDE.split(remark)):
        return True
    if len(names) < 2:
        return False
    if about.title is not None and is_counted(about.title):
        return True
    # A page may have a chapter that is called like one of the tribe; who speaks in headings speaks again.
    headings = all(turn.opener.form == "heading" for turn in turns)
    return bool(names & TRIBE) and (not headings or len(turns) > len(names) or bool(names & ROLE_WORDS))


def _tells_intensity(part: str) -> bool:
    try:
        return bool(intensity_of(keyed_intensity(part) or part))
    except NotAnIntensity:
        return False


def _take(
    turn: Spoken,
    roles: dict[str, str],
    about: Metadata,
    parsed: ParsedConversation,
    counts: Counter[str],
) -> None:
    name = fold(turn.opener.name)
    beside = _Beside(about.of_speaker.get(name, about.intensity), about.created)
    for remark in turn.opener.remarks:
        for part in _BESIDE.split(remark):
            if not _read(part, beside, about, counts, bare=True):
                counts[REMARKS] += 1
    text = _text(turn, beside, about, counts)
    if not text.strip():
        parsed.set_aside[EMPTY] += 1
        return
    parsed.messages.append(
        ParsedMessage(
            role=roles[name],
            content=text,
            created=beside.created,
            author=turn.opener.name,
            intensity=beside.intensity,
        )
    )


def _read(part: str, beside: _Beside, about: Metadata, counts: Counter[str], bare: bool) -> bool:
    """Take what a remark says; whether it says anything known. Only beside a name a `bare` number is an intensity."""
    told = keyed_intensity(part) or (part if bare and looks_like_intensity(part) else None)
    if told is not None:
        try:
            beside.intensity = intensity_of(told)
        except NotAnIntensity:
            beside.intensity = None
            counts[BAD_INTENSITY] += 1
        return True
    if not bare:
        return False
    moment = time_of(part)
    moment = on_day(about.created, part) if moment is None else moment
    if moment is not None:
        beside.created = moment
    return moment is not None or fold(part) in _ROLES or bool(_CLOCK.fullmatch(part.strip()))


_ROLES = frozenset(["om", "human", "user", "ai", "assistant", "asistent", "utilizator", "person", "persoana"])
#: A number that stands in brackets before a text and is an intensity rather than a part of it.
_SHARE = re.compile(r"0?[.,]\d{1,4}|[01][.,]0{1,4}|\d{1,3} ?%")
_CLOCK = re.compile(r"(?:ora )?\d{1,2}:\d{2}(?::\d{2})?")


def _text(turn: Spoken, beside: _Beside, about: Metadata, counts: Counter[str]) -> str:
    """The text of a turn, without lines below a bare name, or remarks at its ends, that tell its intensity."""
    lines = list(turn.lines)
    if not turn.opener.rest:
        while lines and (not lines[0].strip() or _own_metadata(lines[0], beside, about, counts)):
            del lines[0]
    text = "\n".join([turn.opener.rest, *lines] if turn.opener.rest else lines).rstrip()
    found = _FIRST.match(text)
    if found and _read(found[1], beside, about, counts, bare=bool(_SHARE.fullmatch(found[1]))):
        text = text[found.end() :].lstrip("\n")
    if text.endswith((")", "]", "}", "*", "_")):
        found = _LAST.search(text, max(len(text) - 80, 0))
        if found and _read(found[1], beside, about, counts, bare=False):
            text = text[: found.start()].rstrip()
    return text


def _own_metadata(line: str, beside: _Beside, about: Metadata, counts: Counter[str]) -> bool:
    inner = line.replace("<!--", "").replace("-->", "").strip()
    if len(inner) > 100:
        return False
    if _read(inner.strip("*_()[]"), beside, about, counts, bare=False):
        return True
    pair = pair_of(inner)
    if pair is None or not is_metadata(inner):
        return False
    if keyed_intensity(f"{pair[0]}: {pair[1]}") and looks_like_intensity(pair[1]):
        return _read(f"{pair[0]}: {pair[1]}", beside, about, counts, bare=False)
    moment = time_of(pair[1])
    if fold(pair[0]) not in ("date", "data", "time", "ora") or moment is None:
        return False
    beside.created = moment
    return True
