"""What the first screen tells: the sentence and the funnel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tasks.reports.reasons import percent
from tasks.reports.statistics import ConversationCounts, Statistics


@dataclass(frozen=True)
class Step:
    """One step of the funnel, and what was lost on the way to it.

    `width` is its share (percent) of the group's first step, `above` that of the step before it. `count`
    None: not reached.
    """

    label: str
    count: int | None
    width: float
    above: float
    lost: tuple[str, ...]


@dataclass(frozen=True)
class FunnelGroup:
    """Steps that count the same thing; `start` and `end` say more of the first and the last."""

    unit: str
    steps: tuple[Step, ...]
    start: tuple[str, ...]
    end: tuple[str, ...] = ()


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """`1 message`, `2 messages`."""
    return f"{number:,} {singular if number == 1 else plural or singular + 's'}"


def sentence(statistics: Statistics) -> str:
    """The build in one or two sentences; who scored is said beside it."""
    ledger, chats = statistics.messages, statistics.conversations
    read = f"{counted(ledger.total, 'message')} in {counted(chats.kept, 'conversation')}"
    if not ledger.total:
        return "No message was read."
    if not ledger.decided:
        return f"{read} {'was' if ledger.total == 1 else 'were'} read; the filter was not reached."
    kept = (
        f"{ledger.kept:,} {'is' if ledger.kept == 1 else 'are'} kept ({percent(ledger.kept, ledger.total)})"
    )
    masked = f"{ledger.masked:,} {'stays' if ledger.masked == 1 else 'stay'} as context without being learned"
    dropped = "none is dropped"
    if ledger.dropped:
        dropped = f"{ledger.dropped:,} {'is' if ledger.dropped == 1 else 'are'} dropped, each with a reason"
    told = f"Of {read}, {kept}, {masked}, and {dropped}."
    if statistics.corpus is not None:
        told += f" They make a corpus of {counted(sum(statistics.corpus.values()), 'example')}."
    return told


def funnel(statistics: Statistics) -> tuple[FunnelGroup, ...]:
    """Conversations, messages, examples: each group narrows from its own first step."""
    files = (f"from {counted(statistics.files, 'file')}",) if statistics.files else ()
    roles = tuple(f"{count:,} {role}" for role, count in statistics.messages.parsed.items())
    splits = tuple(f"{count:,} {name}" for name, count in (statistics.corpus or {}).items())
    return (
        FunnelGroup("Conversations", _steps(_conversations(statistics)), files),
        FunnelGroup("Messages", _steps(_messages(statistics)), roles),
        FunnelGroup("Examples", _steps(_examples(statistics)), (), splits),
    )


def counts_millions(groups: Sequence[FunnelGroup]) -> bool:
    """Whether the figures of a funnel need more room."""
    return any((step.count or 0) >= 1_000_000 for group in groups for step in group.steps)


_Row = tuple[str, int | None, dict[str, int]]


def _steps(rows: list[_Row]) -> tuple[Step, ...]:
    whole = rows[0][1] or 0
    found: list[Step] = []
    for label, count, lost in rows:
        width = 0.0 if not whole or count is None else min(100.0, round(100 * count / whole, 2))
        above = found[-1].width if found else width
        losses = tuple(f"−{number:,} {name}" for name, number in lost.items() if number > 0)
        found.append(Step(label, count, width, above, losses))
    return tuple(found)


def _conversations(statistics: Statistics) -> list[_Row]:
    chats = statistics.conversations
    return [
        ("Seen", chats.seen, {}),
        ("Read", chats.kept, _lost(chats)),
        ("Current", chats.current, {"superseded": chats.superseded or 0}),
    ]


def _lost(chats: ConversationCounts) -> dict[str, int]:
    return {
        "left out": chats.left_out,
        "empty": chats.empty,
        "failed": chats.failed,
        "duplicate": chats.duplicate,
    }


def _messages(statistics: Statistics) -> list[_Row]:
    ledger = statistics.messages
    if not ledger.decided:
        return [("Parsed", ledger.total, {}), ("Kept", None, {}), ("To learn from", None, {})]
    context = 0 if ledger.trained is None else ledger.kept - ledger.trained
    return [
        ("Parsed", ledger.total, {}),
        ("Kept", ledger.kept, {"masked": ledger.masked, "dropped": ledger.dropped}),
        ("To learn from", ledger.trained, {"context": context}),
    ]


def _examples(statistics: Statistics) -> list[_Row]:
    examples, twins, corpus = statistics.examples, statistics.duplicates, statistics.corpus
    total = examples.total if examples else None
    asked = sum(twins.contaminated.values()) if twins else 0
    unique = total - twins.removed - asked if total is not None and twins else None
    chosen = sum(corpus.values()) if corpus is not None else None
    left_out = unique - chosen if unique is not None and chosen is not None else 0
    return [
        ("Assembled", total, {}),
        ("Unique", unique, {"duplicates": twins.removed if twins else 0, "contaminated": asked}),
        ("Corpus", chosen, {"left out of the mixture": left_out}),
    ]
