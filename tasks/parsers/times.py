"""Times in exports: numbers in seconds or milliseconds, ISO strings; anything else is unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
#: Numbers above this are milliseconds: as seconds they would lie beyond the year 5138.
_MILLISECONDS_FROM = 1e11
#: `20240131` is a date, and a number of nine digits seconds since 1970; what is shorter is neither.
_SHORTEST_DIGITS = 8
_LAST_SECOND = 253_402_300_799  # the end of the year 9999


def microseconds(value: object) -> int | None:
    """Microseconds since 1970 in UTC; None for null, NaN, infinite, negative, far-off or unreadable times."""
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _from_number(value)
    if isinstance(value, str):
        return _from_text(value.strip())
    return None


def declared_microseconds(text: str) -> int | None:
    """The same of a column that somebody says is a time. A short number is none: it is a year, a place or an age."""
    text = text.strip()
    return microseconds(text) if len(text.partition(".")[0]) >= _SHORTEST_DIGITS else None


def _from_number(value: float) -> int | None:
    # A whole number may be too long for a float: compare before anything is converted.
    if not 0 <= value <= _LAST_SECOND * 1000:
        return None
    seconds = value / 1000 if value > _MILLISECONDS_FROM else value
    return round(seconds * 1e6) if seconds <= _LAST_SECOND else None


def _from_text(value: str) -> int | None:
    try:
        time = datetime.fromisoformat(value)
        since = (time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH
    except (ValueError, OverflowError):
        return _from_digits(value)
    count = since // _MICROSECOND
    return count if count >= 0 else None


def _from_digits(value: str) -> int | None:
    # fromisoformat takes "20240131" but no plain epoch of ten digits, so that both readings stay apart.
    if not value.isascii() or len(value) > 30:
        return None
    try:
        return _from_number(float(value))
    except ValueError:
        return None
