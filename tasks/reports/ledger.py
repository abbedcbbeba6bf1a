"""Counting what became of every message, and where it came from."""

from __future__ import annotations

from collections import Counter

import pyarrow.compute as pc

from schemas.summary import BuildSummary
from tasks.reports.counting import Tally, by_role, tally, whole
from tasks.reports.message_parts import MessagePart
from tasks.reports.statistics import MessageLedger, ReasonCount


class LedgerCounter:
    """Adds up parts of messages; holds counts only."""

    def __init__(self) -> None:
        self.parsed: Counter[str] = Counter()
        self.fates: Tally = Counter()
        self.by_source: Tally = Counter()
        self.dropped: dict[str, Counter[str]] = {}
        self.conversations: Counter[str] = Counter()
        self.trained = 0
        self.flagged = 0
        self.superseded: int | None = None
        self.decided = self.assembled = False

    def add(self, part: MessagePart) -> None:
        """Count one part."""
        role = whole(part.messages, "role")
        for (name,), count in tally({"role": role}).items():
            self.parsed[name] += count
        if part.conversations is not None:
            for (name,), count in tally({"source": whole(part.conversations, "source")}).items():
                self.conversations[name] += count
        if part.superseded_conversations is not None:
            self.superseded = (self.superseded or 0) + part.superseded_conversations
        if part.outcome is None:
            self.by_source.update({(name, ""): n for (name,), n in tally({"source": part.source}).items()})
            return
        self.decided = True
        columns = {"source": part.source, "outcome": part.outcome, "reason": part.reason}
        for (source, outcome, reason), count in tally(columns).items():
            self.by_source[source, outcome] += count
            if outcome == "dropped":
                self.dropped.setdefault(source, Counter())[reason] += count
        self.fates += tally({"outcome": part.outcome, "reason": part.reason, "role": role})
        self._add_details(part)

    def _add_details(self, part: MessagePart) -> None:
        if part.placement is not None:
            self.assembled = True
            self.trained += pc.sum(pc.equal(part.placement, "trained")).as_py() or 0
        if part.verdicts is not None:
            noted = pc.greater(pc.list_value_length(whole(part.verdicts, "evidence")), 0)
            kept = pc.equal(whole(part.verdicts, "action"), "keep")
            self.flagged += pc.sum(pc.and_(noted, kept)).as_py() or 0

    def ledger(self) -> MessageLedger:
        """The counts so far."""
        outcomes: Counter[str] = Counter()
        reasons: dict[tuple[str, str], Counter[str]] = {}
        for (outcome, reason, role), count in self.fates.items():
            outcomes[outcome] += count
            if reason is not None:
                reasons.setdefault((outcome, reason), Counter())[role] += count
        found = [
            ReasonCount(reason, outcome, c.total(), by_role(c)) for (outcome, reason), c in reasons.items()
        ]
        return MessageLedger(
            parsed=by_role(self.parsed),
            decided=self.decided,
            kept=outcomes["kept"],
            masked=outcomes["masked"],
            dropped=outcomes["dropped"],
            trained=self.trained if self.assembled else None,
            flagged=self.flagged,
            reasons=tuple(sorted(found, key=lambda r: (r.outcome, -r.messages, r.reason))),
        )


def ledger_of_summary(summary: BuildSummary) -> MessageLedger:
    """The ledger as the summary tells it, for a build without tables to count."""
    counts = summary.messages
    reasons = [ReasonCount(reason, "dropped", n, {}) for reason, n in counts.dropped.items() if n]
    return MessageLedger(
        parsed=by_role(counts.parsed),
        decided=counts.kept + counts.masked + sum(counts.dropped.values()) > 0,
        kept=counts.kept,
        masked=counts.masked,
        dropped=sum(counts.dropped.values()),
        reasons=tuple(sorted(reasons, key=lambda r: (-r.messages, r.reason))),
    )
