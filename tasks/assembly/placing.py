"""Where the assembly would place messages, found out without their texts: placing asks for roles and verdicts only."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from schemas.parts import conversation_rows
from schemas.tables import PLAIN_TEXT
from tasks.assembly.repair import Turn, assemble


def place_part(messages: pa.Table, verdicts: pa.Table, flags: Sequence[Sequence[str]] = ()) -> pa.Table:
    """Placement and reason of each message of a part, as `assemble_part` would give them.

    `messages` needs role, position, author and intensity, the aligned `verdicts` action and reason; `flags` are those
    of the conversations.
    """
    said = (messages[name].to_pylist() for name in ("role", "author", "intensity"))
    judged = (verdicts[name].to_pylist() for name in ("action", "reason"))
    turns = [
        Turn(role, "", action, author, intensity, reason=reason)
        for role, author, intensity, action, reason in zip(*said, *judged, strict=True)
    ]
    rows = conversation_rows(messages).tolist()
    start = 0
    while start < len(turns):
        end = start + 1
        while end < len(turns) and rows[end] == rows[start]:
            end += 1
        plain_text = rows[start] < len(flags) and PLAIN_TEXT in flags[rows[start]]
        assemble(turns[start:end], plain_text)
        start = end
    return pa.table(
        {
            "placement": pa.array([turn.placement for turn in turns], pa.string()),
            "reason": pa.array([turn.reason for turn in turns], pa.string()),
        }
    )
