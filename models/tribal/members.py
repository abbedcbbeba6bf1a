"""Who belongs to the tribe, and by which names its members are known."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from schemas.errors import SettingsError
from schemas.settings.tribal import MEMBER_NAME, TribalPreset

#: The first member where the preset names none: what is there when nobody colours it.
CORE = "nova"
#: More members than this are no tribe; the others' turns are counted as strangers'.
MOST_MEMBERS = 64


def folded(name: str) -> str:
    """A name as it is compared: without case, accents and space around it."""
    parts = unicodedata.normalize("NFD", name.strip().casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def members_of(preset: TribalPreset, authors: Mapping[str, int]) -> tuple[str, ...]:
    """The members in order, the core first: those of the preset, or the authors of the corpus's replies.

    `authors` counts replies by author as written. Raises SettingsError when a phase is for a member that is none.
    """
    members = preset.members or _authors(authors)
    if len({folded(name) for name in members}) < len(members):
        raise SettingsError("two members have one name, but for case and accents", where="members")
    known = {folded(name) for name in members}
    for phase in preset.phases:
        if phase.member and folded(phase.member) not in known:
            raise SettingsError(
                f"phase {phase.name} is for {phase.member!r}, who wrote no reply of the corpus",
                where="phases",
                fix=f"The members are: {', '.join(members)}.",
            )
    return tuple(members)


def _authors(authors: Mapping[str, int]) -> Sequence[str]:
    """The core, and then whoever wrote most; under the spelling that is used most."""
    spellings: dict[str, Counter[str]] = {}
    for name, count in authors.items():
        if MEMBER_NAME.fullmatch(name.strip()):
            spellings.setdefault(folded(name), Counter())[name.strip()] += count
    spellings.pop(folded(CORE), None)
    ordered = sorted(spellings.values(), key=lambda found: (-found.total(), min(found)))
    names = [min(found, key=lambda name: (-found[name], name)) for found in ordered]
    return (CORE, *names[: MOST_MEMBERS - 1])
