"""What a conversation's heading says: its title, and the date and intensity beside it."""

from __future__ import annotations

import re

from tasks.parsers.markdown.metadata import Metadata, keyed_intensity
from tasks.parsers.markdown.values import time_of, without_date

_REMARK = re.compile(r"[ \t]*[(\[{]([^()\[\]{}]*)[)\]}]")
_PARTS = re.compile(r"[ \t]*[|·;][ \t]*")


def describe(title: str, about: Metadata) -> None:
    """Take date and intensity of a heading as the conversation's where no line below it says otherwise."""
    kept = title.replace("**", "").replace("__", "")
    for remark in _REMARK.findall(kept):
        if told := keyed_intensity(remark):
            _intensity(told, about)
            kept = kept.replace(f"({remark})", "").replace(f"[{remark}]", "").replace(f"{{{remark}}}", "")
    parts = _PARTS.split(kept)
    for part in parts[1:]:
        if told := keyed_intensity(part):
            _intensity(told, about)
            parts.remove(part)
    kept = " | ".join(parts)
    moment = time_of(kept)
    if moment is not None and about.created is None:
        about.created = moment
    if about.title is None:
        about.title = without_date(kept) or None


def _intensity(told: str, about: Metadata) -> None:
    if about.intensity is None:
        about.set_intensity(told)
