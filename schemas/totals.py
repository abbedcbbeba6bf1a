"""A build's totals, from the summaries in its manifests alone: no table is opened for them."""

from __future__ import annotations

from collections.abc import Mapping

from schemas.ledger import draw_ledger, with_prefix
from schemas.summary import CorpusCounts, ImportCounts, MessageCounts
from schemas.tables import SPLITS

#: Summaries by stage, of those stages that stand.
Summaries = Mapping[str, Mapping[str, int]]
#: The stages that know what became of messages, the one that knows more first.
DECIDERS = ("assemble", "filter")


def import_totals(summaries: Summaries) -> ImportCounts:
    """Conversations: what the files held, and what of it counts; zeros before parse."""
    if "parse" not in summaries:
        return ImportCounts()
    ledger = draw_ledger("parse", summaries["parse"])
    superseded = summaries.get("reconcile", {}).get("set_aside:superseded", 0)
    return ImportCounts(
        seen=ledger.rows_in,
        kept=ledger.rows_out - superseded,
        empty=ledger.set_aside.get("empty", 0),
        failed=ledger.set_aside.get("failed", 0),
        duplicate=ledger.set_aside.get("duplicate", 0) + superseded,
        left_out=sum(n for why, n in ledger.set_aside.items() if why not in ("empty", "failed", "duplicate")),
    )


def deciding_stage(summaries: Summaries) -> str | None:
    """The stage whose ledger says what became of messages: assembly, or before it the filter; None before both."""
    return next((stage for stage in DECIDERS if stage in summaries and "parse" in summaries), None)


def message_totals(summaries: Summaries, stage: str | None = None) -> MessageCounts:
    """Messages kept, masked, dropped, by the ledger of `stage` (None: the deciding one)."""
    stage = stage or deciding_stage(summaries)
    parsed = summaries.get("parse", {})
    roles = with_prefix(parsed, "role:")
    if stage is None or stage not in summaries:
        return MessageCounts(parsed=roles)
    summary = summaries[stage]
    ledger = draw_ledger(stage, summary, parsed.get("rows:messages", 0))
    masked = summary.get("masked", 0)
    return MessageCounts(parsed=roles, kept=ledger.rows_out - masked, masked=masked, dropped=ledger.set_aside)


def corpus_totals(summaries: Summaries) -> CorpusCounts:
    """Distinct examples by split, however many phases read them; zeros before mix."""
    mixed = summaries.get("mix", {})
    # Corpora of before there were phases hold each example in one row.
    return CorpusCounts(
        **{split: mixed.get(f"examples:{split}", mixed.get(f"rows:{split}", 0)) for split in SPLITS}
    )


def kept_share(messages: MessageCounts) -> float | None:
    """Kept messages over all parsed ones, 0 to 1; None where nothing was parsed or decided."""
    total = sum(messages.parsed.values())
    decided = messages.kept or messages.masked or messages.dropped
    return messages.kept / total if total and decided else None
