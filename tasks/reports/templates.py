"""The template environment: everything is escaped, and hidden characters are shown."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from schemas.visible import visible
from tasks.reports.languages import language_name
from tasks.reports.mixture import told_bounds, told_part, told_repeats
from tasks.reports.reasons import percent, reason_meaning, reason_title, state_title

#: Longest settings text that is shown.
LONGEST_SETTINGS = 40_000


@cache
def environment() -> Environment:
    """The environment of the templates that lie beside this module."""
    made = Environment(
        loader=FunctionLoader(source),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    made.filters.update(
        n=_grouped,
        size=_size,
        duration=tell_time,
        language=language_name,
        percent=percent,
        bounds=told_bounds,
        part=told_part,
        repeats=told_repeats,
        title_of=reason_title,
        meaning_of=reason_meaning,
        state=state_title,
        long=_long,
    )
    return made


def stylesheet() -> Markup:
    """The one style sheet, to be written into the page."""
    return Markup(source("style.css"))


def source(name: str) -> str:
    """A file that lies beside this module: a template, a style sheet."""
    return (resources.files("tasks.reports") / name).read_text("utf-8")


def _finalize(value: object) -> object:
    # Every text of a template expression passes here before it is escaped; Markup is our own.
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _long(text: str) -> Markup:
    return escape(visible(text, LONGEST_SETTINGS))


def _grouped(number: int) -> str:
    return f"{number:,}"


def tell_time(seconds: float) -> str:
    """`20 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def _size(number: float) -> str:
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:g} B"
