"""One part of the messages with all that is known of it, laid side by side."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from schemas.outcomes import fates
from schemas.tables import TOXICITY_LABELS
from tasks.reports.counting import whole
from tasks.reports.tables import Tables, check_aligned, scan_together

COLUMNS = {
    "messages": ("message_id", "conversation_id", "role", "content"),
    "conversations": ("conversation_id", "source"),
    "standing": ("conversation_id", "current"),
    "signals": ("language", "language_inherited", "chars", "rule_hits", *TOXICITY_LABELS),
    "verdicts": ("action", "reason", "evidence"),
    "placements": ("placement", "reason"),
}


@dataclass(frozen=True)
class MessagePart:
    """Columns of one part, all of one length; None where the build has no such table."""

    messages: pa.Table
    conversations: pa.Table | None
    source: pa.Array
    current: pa.Array
    outcome: pa.Array | None
    reason: pa.Array | None
    placement: pa.Array | None
    verdicts: pa.Table | None
    signals: pa.Table | None
    superseded_conversations: int | None


def message_parts(tables: Tables) -> Iterator[MessagePart]:
    """The parts of the messages in order. Raises StoreError when tables that must be aligned are not."""
    if not tables.has("messages"):
        return
    for parts in scan_together(tables, dict(COLUMNS)):
        check_aligned(parts, ("messages", "signals", "verdicts", "placements"))
        check_aligned(parts, ("conversations", "standing"))
        yield _message_part(parts)


def _message_part(parts: dict[str, pa.Table]) -> MessagePart:
    messages, standing = parts["messages"], parts.get("standing")
    outcome, reason = fates(parts.get("verdicts"), parts.get("placements")) or (None, None)
    placement = whole(parts["placements"], "placement") if "placements" in parts else None
    superseded = (
        None if standing is None else len(standing) - (pc.sum(standing.column("current")).as_py() or 0)
    )
    return MessagePart(
        messages=messages,
        conversations=parts.get("conversations"),
        source=_of_conversation(messages, parts.get("conversations"), "source", "unknown"),
        current=_of_conversation(messages, standing, "current", True),
        outcome=outcome,
        reason=reason,
        placement=placement,
        verdicts=parts.get("verdicts"),
        signals=parts.get("signals"),
        superseded_conversations=superseded,
    )


def _of_conversation(
    messages: pa.Table, table: pa.Table | None, column: str, default: str | bool
) -> pa.Array:
    """What a table of conversations says, for each message."""
    if table is None:
        return pa.array([default] * len(messages), pa.string() if isinstance(default, str) else pa.bool_())
    at = pc.index_in(whole(messages, "conversation_id"), value_set=whole(table, "conversation_id"))
    return pc.fill_null(whole(table, column).take(at), default)
