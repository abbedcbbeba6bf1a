"""Intensities and dates as people write them, in Romanian and English."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from tasks.parsers.markdown.marks import fold
from tasks.parsers.times import microseconds

#: What words for an intensity stand for (docs/markdown-corpus.md has the same table).
WORDS = {
    "none": "0", "zero": "0", "deloc": "0", "absenta": "0",
    "very low": "0.1", "minimal": "0.1", "foarte mica": "0.1", "foarte scazuta": "0.1", "minima": "0.1",
    "low": "0.25", "mica": "0.25", "mic": "0.25", "scazuta": "0.25", "scazut": "0.25", "joasa": "0.25",
    "slaba": "0.25", "redusa": "0.25",
    "medium": "0.5", "moderate": "0.5", "mid": "0.5", "average": "0.5", "medie": "0.5", "mediu": "0.5",
    "moderata": "0.5", "moderat": "0.5", "potrivita": "0.5",
    "high": "0.75", "strong": "0.75", "mare": "0.75", "ridicata": "0.75", "ridicat": "0.75", "inalta": "0.75",
    "puternica": "0.75", "crescuta": "0.75",
    "very high": "0.9", "intense": "0.9", "foarte mare": "0.9", "foarte ridicata": "0.9", "intensa": "0.9",
    "foarte puternica": "0.9", "foarte inalta": "0.9",
    "max": "1", "maximum": "1", "full": "1", "maxima": "1", "maxim": "1", "totala": "1",
}  # fmt: skip
_MONTHS = (
    ("january", "ianuarie", "jan", "ian"), ("february", "februarie", "feb"), ("march", "martie", "mar"),
    ("april", "aprilie", "apr"), ("may", "mai"), ("june", "iunie", "jun", "iun"), ("july", "iulie", "jul", "iul"),
    ("august", "aug"), ("september", "septembrie", "sep", "sept"), ("october", "octombrie", "oct"),
    ("november", "noiembrie", "nov", "noi"), ("december", "decembrie", "dec"),
)  # fmt: skip
_MONTH = {name: number for number, names in enumerate(_MONTHS, 1) for name in names}
_NAMES = "|".join(sorted(_MONTH, key=len, reverse=True))
_CLOCK = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?[ ]?(?P<half>[ap]\.?m\b\.?)?"
_ISO = re.compile(
    r"(?<!\d)\d{4}-\d{2}-\d{2}(?:[t ]\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,6})?)?(?:z|[+-]\d{2}:?\d{2})?)?(?![\d:])"
)
_DATES = (
    re.compile(r"(?<!\d)(?P<year>\d{4})[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})(?!\d)"),
    re.compile(r"(?<![\d.])(?P<day>\d{1,2})[./-](?P<month>\d{1,2})[./-](?P<year>\d{4})(?!\d)"),
    re.compile(
        rf"(?<!\d)(?P<day>\d{{1,2}})(?:st|nd|rd|th)?[ .-]+(?:of )?(?P<name>{_NAMES})\b\.?,?[ -]*(?P<year>\d{{4}})(?!\d)"
    ),
    re.compile(rf"\b(?P<name>{_NAMES})\b\.?[ ]+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?[ ]+(?P<year>\d{{4}})(?!\d)"),
)  # fmt: skip
_TIME = re.compile(rf"(?<![\d:]){_CLOCK}(?![\d:])")
_NUMBER = re.compile(r"([+-]?\d{1,12}(?:[.,]\d{1,12})?|[+-]?[.,]\d{1,12})\s*(?:(%)|/\s*(\d{1,6}))?")
_AROUND = re.compile(r"^[^\w+\-.,(]+|[^\w%)]+$")
_WORD_AND_NUMBER = re.compile(r"(.{1,30}?)\s*[(\[—–-]\s*([\d.,/%\s]+?)\s*[)\]]?")
#: No date is longer, however it is written.
_LONGEST = 200


class NotAnIntensity(Exception):
    """A value that stands where an intensity should and is none."""


def intensity_of(text: str) -> str:
    """A number from 0 to 1, in decimals: of 0.85, 0,85, 85%, 8/10, or a word. Raises NotAnIntensity for all else.

    What lies outside is refused and never clipped: 5 may be out of 5 or out of 10.
    """
    said = _plain(text)
    if said in WORDS:
        return WORDS[said]
    found = _NUMBER.fullmatch(said)
    if not found:
        raise NotAnIntensity
    try:
        number = Decimal(found[1].replace(",", ".")) / (100 if found[2] else Decimal(found[3] or 1))
    except (InvalidOperation, ZeroDivisionError):
        raise NotAnIntensity from None
    if not 0 <= number <= 1:
        raise NotAnIntensity
    told = f"{number:f}"
    return (told.rstrip("0").rstrip(".") if "." in told else told) or "0"


def _plain(text: str) -> str:
    """A value without the pictures and marks around it; of `high (0.8)` the number."""
    said = _AROUND.sub("", fold(text[:_LONGEST]))
    found = _WORD_AND_NUMBER.fullmatch(said)
    return found[2] if found and found[1] in WORDS else said


def looks_like_intensity(text: str) -> bool:
    """Whether a text is nothing but a number (good or not) or a word for an intensity."""
    said = _plain(text)
    return said in WORDS or bool(_NUMBER.fullmatch(said))


def time_of(text: str) -> int | None:
    """Microseconds since 1970 of the first date in a text, with the time of day beside it; UTC where no zone is named.

    Of 03/04/2025 the first number is the day, as in Romanian; where that cannot be, the second.
    """
    said = fold(text[:_LONGEST])
    iso = _ISO.search(said)
    if iso and (known := microseconds(iso[0].upper().replace(",", "."))) is not None and len(iso[0]) > 10:
        return known
    for pattern in _DATES:
        if found := pattern.search(said):
            return _moment(found, _TIME.search(said[: found.start()] + " " + said[found.end() :]))
    return None


def without_date(text: str) -> str:
    """A title without the date in it; as it is when the date is all it has."""
    for pattern in _DATES:
        # Titles are short; folding changes no positions in text that has only composed letters.
        if (found := pattern.search(text.lower())) and time_of(found[0]) is not None:
            clock = _TIME.search(text, found.end())
            end = clock.end() if clock and not text[found.end() : clock.start()].strip(" ,T") else found.end()
            left = text[: found.start()].rstrip(" ([{—–-,|·") + text[end:].lstrip(" )]},")
            return left.strip(" —–-,|·:") or text.strip()
    return text.strip()


def on_day(day: int | None, clock: str) -> int | None:
    """The moment that a time of day names on the day of another moment."""
    found = _TIME.search(fold(clock[:_LONGEST]))
    if day is None or not found:
        return None
    date = datetime.fromtimestamp(day / 1e6, UTC)
    return _stamp(date.year, date.month, date.day, found)


def _moment(date: re.Match[str], clock: re.Match[str] | None) -> int | None:
    parts = date.groupdict()
    month = _MONTH[parts["name"]] if parts.get("name") else int(parts["month"])
    day = int(parts["day"])
    if month > 12 >= day:
        day, month = month, day
    return _stamp(int(parts["year"]), month, day, clock)


def _stamp(year: int, month: int, day: int, clock: re.Match[str] | None) -> int | None:
    hour = int(clock["hour"]) if clock else 0
    if clock and clock["half"]:
        hour = hour % 12 + (12 if clock["half"].startswith("p") else 0)
    minute, second = (int(clock[name] or 0) if clock else 0 for name in ("minute", "second"))
    try:
        return microseconds(datetime(year, month, day, hour, minute, second, tzinfo=UTC).isoformat())
    except ValueError:  # the 31st of June
        return None
