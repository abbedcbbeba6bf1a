"""What reasons, repairs and families are called, and the rows of the filtering table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from schemas.visible import visible
from tasks.reports.statistics import MessageLedger, ReasonCount

FAMILIES = {"blacklist": "Blacklist", "slop": "AI slop"}

#: Reasons of the filter and of reconciliation: title, and what it means.
DECIDED_BY_RULES = {
    "blacklist": ("Blacklist", "A pattern of the blacklist was found in it."),
    "slop": ("AI slop", "A phrase that assistants overuse was found in it."),
    "toxicity": ("Toxicity", "A toxicity score reached the threshold."),
    "empty": ("Empty", "There is no text in it."),
    "single_word": ("Single word", "It is one word."),
    "ellipsis_only": ("Ellipsis only", "It is nothing but dots."),
    "too_short": ("Too short", "It has fewer characters than the settings ask for."),
    "conversation_dropped": ("Conversation dropped", "Another message condemned the whole conversation."),
    "rejected_by_source": ("Rejected by its source", "The set it comes from labels this reply as a bad one."),
    "superseded": ("Superseded copies", "A newer export holds this conversation again."),
}
#: Why an example that was assembled is not in the corpus.
DECIDED_BY_MIXING = {
    "exact_duplicate": ("Exact duplicate", "Another example says the same, and is the one that stays."),
    "near_duplicate": ("Near duplicate", "Another example says nearly the same, and is the one that stays."),
    "semantic_duplicate": ("Same meaning", "Another example means the same, and is the one that stays."),
    "contaminated": ("Contaminated", "It asks what an evaluation asks, and would spoil it."),
    "over_total": ("Over the total", "The settings ask for fewer examples; a seeded lot chose others."),
    "over_share": ("Over its share", "Its source has its share of the corpus without it."),
    "source_without_share": ("Source without share", "The settings give its source no share."),
    "over_range": ("Over its range", "Its category has its part of the corpus without it."),
    "category_without_range": ("Category without range", "The settings give its category no range."),
    "uncategorised": (
        "Uncategorised",
        "It has no category, and the mixture is made of ranges of categories.",
    ),
    "too_long": ("Too long", "It has more tokens than the settings allow."),
    "bridges_frozen_splits": ("Bridges frozen splits", "It says what examples of two frozen splits say."),
    "in_no_phase": ("In no phase", "No phase reads its category."),
    "over_phase": ("Over its phases", "The phases that read its category are full without it."),
}
#: Reasons and repairs of the assembly.
DECIDED_BY_ASSEMBLY = {
    "answer_dropped": ("Answer dropped", "A question at the end whose answer a rule has dropped."),
    "unanswered": ("Unanswered", "A question at the end that nobody answered."),
    "trailing_user": ("Unanswered", "A question at the end that nobody answered."),
    "no_reply_to_learn": ("No reply to learn", "Its conversation has no reply left to learn from."),
    "no_trainable_reply": ("No reply to learn", "Its conversation has no reply left to learn from."),
    "question_dropped": ("Question dropped", "The question it answers was dropped."),
    "masked_piece_of_reply": ("Masked piece", "A masked piece of a reply whose other pieces are learned."),
    "masked_in_mixed_turn": ("Masked piece", "A masked piece of a reply whose other pieces are learned."),
    "opening_greeting": ("Opening greeting", "A greeting before the first question: context, not learned."),
    "unexplained": (
        "No reason recorded",
        "No table says why. This is a fault of the build, please report it.",
    ),
    "joined_user": ("Joined user messages", "Double posts became one message."),
    "joined_user_over_dropped_reply": (
        "Questions joined over a dropped reply",
        "A rule dropped the reply between two questions; both stay, as one message.",
    ),
    "joined_assistant": ("Joined replies", "An answer in pieces became one message."),
    "greeting_as_context": ("Greetings kept", "An opening greeting stays as context."),
    "cut_masked_piece": ("Masked pieces cut", "A bad piece was cut so that the rest can be learned."),
    "trimmed_unanswered": ("Trailing questions trimmed", "The conversation ends with its last answer."),
}
TITLES = {**DECIDED_BY_RULES, **DECIDED_BY_ASSEMBLY, **DECIDED_BY_MIXING}
LOW_QUALITY = ("empty", "single_word", "ellipsis_only")


def reason_title(reason: str) -> str:
    """A reason in words for people; one that is not known here shows its own name."""
    if reason in TITLES:
        return TITLES[reason][0]
    shown = visible(reason, 60).replace("_", " ")
    return shown[:1].upper() + shown[1:]


def state_title(state: str | None) -> str:
    """A state of a comparison in words for people: `masked: AI slop`, `train`, `not in it`."""
    if state is None:
        return "not in it"
    outcome, _, reason = state.partition(":")
    return outcome.replace("_", " ") + (f": {reason_title(reason)}" if reason else "")


def reason_meaning(reason: str) -> str:
    """One sentence on a reason, or nothing."""
    return TITLES.get(reason, ("", ""))[1]


@dataclass(frozen=True)
class FilterRow:
    """One line of the filtering table. `level` 0 is a whole, 1 a part of it, 2 a part of a part."""

    label: str
    count: int
    share: str
    level: int
    kind: str


def percent(count: int, total: int) -> str:
    """`85.0%`; 100% and 0% bare; nothing to divide by: a dash."""
    if total == 0:
        return "–"
    if count in (0, total):
        return "100%" if count else "0%"
    # A part is never rounded to all or to nothing.
    return f"{min(max(100 * count / total, 0.1), 99.9):.1f}%"


def filter_rows(ledger: MessageLedger) -> list[FilterRow]:
    """The filtering table: total, kept, masked by reason, dropped by reason. Undecided: the total alone."""
    total = ledger.total
    rows = [FilterRow("Total messages", total, percent(total, total), 0, "total")]
    if not ledger.decided:
        return rows

    def add(label: str, count: int, level: int, kind: str) -> None:
        rows.append(FilterRow(label, count, percent(count, total), level, kind))

    add("Kept", ledger.kept, 0, "kept")
    if ledger.trained is not None:
        add("to learn from", ledger.trained, 1, "kept")
        add("context", ledger.kept - ledger.trained, 1, "kept")
    add("Masked (context, not learned)", ledger.masked, 0, "masked")
    for reason in (r for r in ledger.reasons if r.outcome == "masked"):
        add(reason_title(reason.reason), reason.messages, 1, "masked")
    add("Dropped", ledger.dropped, 0, "dropped")
    dropped = {r.reason: r.messages for r in ledger.reasons if r.outcome == "dropped"}
    for reason_name in ("blacklist", "slop", "toxicity"):
        add(reason_title(reason_name), dropped.pop(reason_name, 0), 1, "dropped")
    slight = [(name, dropped.pop(name)) for name in LOW_QUALITY if name in dropped]
    add("Low quality", sum(count for _, count in slight), 1, "dropped")
    for name, count in slight:
        add(reason_title(name).lower(), count, 2, "dropped")
    for reason_name in ("too_short", "superseded"):
        add(reason_title(reason_name), dropped.pop(reason_name, 0), 1, "dropped")
    for name, count in dropped.items():
        add(reason_title(name), count, 1, "dropped")
    return rows


def by_decider(reasons: Iterable[ReasonCount], outcome: str) -> dict[str, list[ReasonCount]]:
    """Reasons of one outcome, split into those of the rules and those of the assembly."""
    found: dict[str, list[ReasonCount]] = {"rules": [], "assembly": []}
    for reason in reasons:
        if reason.outcome == outcome:
            found["rules" if reason.reason in DECIDED_BY_RULES else "assembly"].append(reason)
    return found
