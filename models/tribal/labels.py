"""Who speaks in a turn, and how much: what the context detector is to learn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models.tribal.members import folded
from schemas.errors import InputError

#: The member of a turn that nobody is known to speak in.
NOBODY = -1


@dataclass(frozen=True)
class Label:
    """`member` is a number in the members' order, or NOBODY with the reason; the rest of `strength` is the core's."""

    member: int
    strength: float = 0.0
    reason: str = ""


class Labeller:
    """Reads labels from a message's role, author and intensity."""

    def __init__(self, members: Sequence[str], default_intensity: float | None) -> None:
        self._members = {folded(name): number for number, name in enumerate(members)}
        self._default = default_intensity

    def label(self, message: Mapping[str, Any], example_id: str) -> Label:
        """The label of a turn. Raises InputError for an intensity of a member that is no number from 0 to 1."""
        role, author = message["role"], message["author"]
        if role != "assistant":
            return Label(NOBODY, reason="tool" if role == "tool_call" else role)
        if not (author or "").strip():
            return Label(NOBODY, reason="no_author")
        member = self._members.get(folded(author))
        if member is None:
            return Label(NOBODY, reason="not_a_member")
        strength = read_intensity(message["intensity"], example_id)
        if not message["trainable"]:  # a filter found that this is not how anybody should speak
            return Label(NOBODY, reason="masked")
        if member == 0:
            return Label(0, 1.0)
        strength = self._default if strength is None else strength
        return Label(NOBODY, reason="no_intensity") if strength is None else Label(member, strength)


def read_intensity(text: str | None, example_id: str) -> float | None:
    """A number from 0 to 1, also written as a percentage; None where there is none.

    Raises InputError that names the example and the kind of value, and not the value.
    """
    written = (text or "").strip()
    if not written:
        return None
    try:
        number = float(written.removesuffix("%").strip().replace(",", "."))
    except ValueError:
        number = math.nan
    value = number / 100 if written.endswith("%") else number
    if 0 <= value <= 1:
        return value
    kind = "no number" if math.isnan(value) else "below 0" if value < 0 else "above 1"
    raise InputError(
        f"the intensity of a turn is {kind}, where 0 to 1 (or a percentage) is meant",
        where=f"example {example_id}",
        fix="Correct it where the conversation comes from and build the corpus again.",
    )
