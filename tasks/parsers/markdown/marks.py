"""What one line of Markdown is: a heading, a rule, a fence, the opening of a turn; other lines do not count."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

#: A longer name, or one of more words, is a sentence with a colon.
LONGEST_NAME = 60
_MOST_WORDS = 4
#: A line's opening is looked for in so many characters: a turn may be one line of megabytes.
_LOOKED_AT = 400
_SPACES = re.compile(r"\s+")
_HEADING = re.compile(r" {0,3}(#{1,6})[ \t]+(\S.*?)[ \t]*(?:[ \t]#+)?[ \t]*$")
#: The level of `Conversation 12` on a line of its own, without the marks of a heading.
LOWEST = 7
_LONGEST_TITLE = 120
_BEGINS_TITLE = frozenset("*_CcDd")
_COUNTED = re.compile(
    r"(?:conversati[ae]|conversation|convorbirea?|dialog(?:ue|ul)?|discuti[ae]|chat)\s*(?:nr\.?|no\.?|#)?\s*\d{1,6}"
    r"\s*(?:[-—–:|(,·].*)?$"
)
_RULE = re.compile(r" {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,}|={3,})$")
#: Behind quote and list marks, or behind `Name:` at the beginning of a turn. A closing fence has nothing behind it.
_FENCE = re.compile(
    r"[ \t]*(?:>[ \t]?)*[ \t]*(?:[-*+][ \t]+)?(?:[^`~\n]{1,80}:[*_]{0,3}[ \t]+)?(`{3,}|~{3,})([^`\n]*)$"
)
_LEAD = re.compile(r"( {0,3})((?:>[ \t]?)*)([-*+•][ \t]+)?")
_TIME = r"(?:\[(?P<time>[\d .,:/TZ-]{4,25})\][ \t]*)?"
_REMARK = r"[*_]{0,2}(?:\([^()\[\]{}]{1,80}\)|\[[^()\[\]{}]{1,80}\]|\{[^()\[\]{}]{1,80}\})[*_]{0,2}"
_NAME = rf"(?P<name>[^:*`#<>|\[\](){{}}=\\\"\n]{{1,{LONGEST_NAME}}}?)"
_NAMED = re.compile(rf"{_TIME}{_NAME}[ \t]*(?P<remarks>(?:{_REMARK}[ \t]*){{0,3}})(?P<colon>:?)[ \t]*$")
_BOLD = re.compile(r"(\*{1,3}|_{1,3})(?P<inside>[^*\n]{1,200}?)\1(?P<after>.*)", re.DOTALL)
_BEHIND = re.compile(
    rf"[ \t]*(?P<remarks>(?:{_REMARK}[ \t]*){{0,3}})(?P<sign>:|[—–]|-(?=[ \t]))?[ \t]*(?P<rest>.*)", re.DOTALL
)
_PLAIN = re.compile(
    rf"{_TIME}{_NAME}[ \t]*(?P<remarks>(?:{_REMARK}[ \t]*){{0,3}}):(?=[ \t]|$)[ \t]*(?P<rest>.*)", re.DOTALL
)
_INSIDE = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading of level 1 to 6 (or LOWEST), its marks gone."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Fence:
    """A line that opens a fence; it closes one too when `bare`."""

    sign: str
    bare: bool

    def closes(self, other: Fence) -> bool:
        """Whether this line ends the fence that `other` opened."""
        return self.bare and self.sign[0] == other.sign[0] and len(self.sign) >= len(other.sign)


@dataclass(frozen=True, slots=True)
class Opener:
    """A line in the form in which turns begin; whether its name is a speaker's is for others to say.

    `form` is bold, plain, heading or bare (a name in bold alone on its line). `remarks` stand in brackets beside the
    name, `quote` and `item` say what stood before it.
    """

    form: str
    name: str
    remarks: tuple[str, ...]
    rest: str
    quote: bool = False
    item: int = 0


@lru_cache(maxsize=1 << 12)
def fold(text: str) -> str:
    """Text for comparison: no case, diacritics, invisible characters, or repeated white space."""
    if text.isascii():
        return _SPACES.sub(" ", text).strip().lower()
    spread = unicodedata.normalize("NFKD", text)
    kept = [c for c in spread if not unicodedata.combining(c) and unicodedata.category(c) != "Cf"]
    return _SPACES.sub(" ", "".join(kept)).strip().casefold()


def heading_of(line: str) -> Heading | None:
    """The heading that a line is."""
    if "#" not in line[:4] or len(line) > _LOOKED_AT:
        return _counted(line) if len(line) <= _LONGEST_TITLE and line[:1] in _BEGINS_TITLE else None
    found = _HEADING.match(line)
    return Heading(len(found[1]), found[2]) if found else None


def _counted(line: str) -> Heading | None:
    """A line such as `**Conversația 12** (20.12.2025)`, which stands in place of a heading below all others."""
    title = line.strip().replace("**", "").strip("_* ")
    return Heading(LOWEST, title) if _COUNTED.match(fold(title)) else None


def is_rule(line: str) -> bool:
    """Whether a line is `---`, `***`, `___` or `===`."""
    return len(line) < _LOOKED_AT and line.lstrip(" ")[:1] in ("-", "*", "_", "=") and bool(_RULE.match(line))


def fence_of(line: str) -> Fence | None:
    """The fence that a line opens or closes."""
    if ("```" not in line and "~~~" not in line) or len(line) > _LOOKED_AT:
        return None
    found = _FENCE.match(line)
    return Fence(found[1], not found[2].strip() and line.strip(" \t>") == found[1]) if found else None


def opener_of(line: str) -> Opener | None:
    """The opening of a turn in a line of one of the forms."""
    return _known_opener(line) if len(line) <= _LOOKED_AT else _find_opener(line)


def _find_opener(line: str) -> Opener | None:
    heading = heading_of(line)
    if heading:
        found = _NAMED.match(_unbolded(heading.text))
        return _opener("heading", found, found["remarks"], "") if found else None
    lead = _LEAD.match(line)
    assert lead is not None
    start, item = lead.end(), len(lead[3] or "")
    if line[start : start + 1].isspace():  # indented like code
        return None
    head = line[start : start + _LOOKED_AT]
    found_opener = _bold(head) if head[:1] in ("*", "_") else _plain(head) if ":" in head else None
    if found_opener is None:
        return None
    rest = found_opener.rest + line[start + _LOOKED_AT :]
    return Opener(found_opener.form, found_opener.name, found_opener.remarks, rest, bool(lead[2]), item)


#: A line is asked for several times: for the file's layout, for where conversations begin, for the turns.
_known_opener = lru_cache(maxsize=1 << 12)(_find_opener)


def _bold(head: str) -> Opener | None:
    found = _BOLD.match(head)
    inner = _NAMED.match(found["inside"].strip()) if found else None
    if not found or not inner:
        return None
    if inner["colon"]:
        return _opener("bold", inner, inner["remarks"], found["after"].removeprefix(":").lstrip(" \t"))
    behind = _BEHIND.match(found["after"])
    assert behind is not None  # every group of it is optional
    remarks = inner["remarks"] + behind["remarks"]
    if behind["sign"]:
        return _opener("bold", inner, remarks, behind["rest"])
    return None if behind["rest"] else _opener("bare", inner, remarks, "")


def _plain(head: str) -> Opener | None:
    found = _PLAIN.match(head)
    return _opener("plain", found, found["remarks"], found["rest"]) if found else None


def _opener(form: str, found: re.Match[str], remarks: str, rest: str) -> Opener | None:
    name = bare_name(found["name"])
    if not name or len(name.split()) > _MOST_WORDS:
        return None
    told = tuple(each.strip() for each in _INSIDE.findall(remarks))
    return Opener(form, name, (found["time"], *told) if found["time"] else told, rest)


def bare_name(text: str) -> str:
    """A name as it is written, without the marks and pictures around it; empty when no letter begins it."""
    start, end = 0, len(text)
    while start < end and not (text[start].isalnum()):
        start += 1
    while end > start and not (
        text[end - 1].isalnum() or unicodedata.combining(text[end - 1]) or text[end - 1] == "."
    ):
        end -= 1
    name = text[start:end]
    return name if name[:1].isalpha() else ""


def _unbolded(text: str) -> str:
    return text.replace("**", "").replace("__", "").strip("*_ ")
