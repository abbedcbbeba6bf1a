"""The expectations that stand between the stages, as data; `tasks/checks` runs them through Great Expectations.

`table` is a table of the stage as seen through its view (tasks/checks/views.py), which holds ids, numbers and
derived columns but never chat text; `summary` is the one-row account of the whole dataset. `kind` is the class in
`great_expectations.expectations`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schemas.categories import CATEGORIES, LABEL_METHODS
from schemas.tables import ACTIONS, COPY_METHODS, ROLES, SPLITS


@dataclass(frozen=True)
class Expectation:
    """One rule: a name for people, where it holds, and what Great Expectations is asked."""

    name: str
    table: str
    kind: str
    column: str
    arguments: dict[str, Any] = field(default_factory=dict)


def _is_id(table: str, column: str) -> Expectation:
    return Expectation(
        f"{column} is a 128-bit id",
        table,
        "ExpectColumnValuesToMatchRegex",
        column,
        {"regex": "^[0-9a-f]{32}$"},
    )


def _present(table: str, column: str) -> Expectation:
    return Expectation(f"{column} is present", table, "ExpectColumnValuesToNotBeNull", column)


def _among(table: str, column: str, values: tuple[str, ...]) -> Expectation:
    return Expectation(
        f"{column} is a known one", table, "ExpectColumnValuesToBeInSet", column, {"value_set": list(values)}
    )


def _between(name: str, table: str, column: str, low: float | None, high: float | None) -> Expectation:
    arguments = {"min_value": low, "max_value": high}
    return Expectation(name, table, "ExpectColumnValuesToBeBetween", column, arguments)


def _none(name: str, table: str, column: str) -> Expectation:
    return _between(name, table, column, 0, 0)


LEDGER = _none("the ledger balances: rows in = rows out + set aside", "summary", "unaccounted")
NO_METADATA = _none("the text is the messages' own: no tag or metadata was added", "summary", "foreign_chars")
ALIGNED = _none("aligned tables speak of the same rows", "summary", "misaligned")

EXPECTATIONS: dict[str, tuple[Expectation, ...]] = {
    "parse": (
        _is_id("imports", "file_digest"),
        _none(
            "conversations seen = kept + empty + failed + duplicate + left out",
            "imports",
            "conversations_unaccounted",
        ),
        _none("messages seen = parsed + set aside", "imports", "messages_unaccounted"),
        _is_id("conversations", "conversation_id"),
        _present("conversations", "source"),
        _between("a conversation has messages", "conversations", "messages", 1, None),
        _is_id("messages", "message_id"),
        _among("messages", "role", ROLES),
        _none("content is not blank", "messages", "blank"),
        _none("positions count up from 0 within a conversation", "messages", "misplaced"),
        _none("every message has its conversation", "messages", "orphan"),
        LEDGER,
        _between("at least one conversation was read", "summary", "kept", 1, None),
        _none("conversations written = conversations counted", "summary", "conversations_miscounted"),
        _none("messages written = messages counted by role", "summary", "messages_miscounted"),
    ),
    "reconcile": (
        _is_id("standing", "conversation_id"),
        _none("a copy is either current or superseded", "standing", "contradictory"),
        LEDGER,
        _none("each conversation has one current copy", "summary", "current_repeated"),
    ),
    "score": (
        _is_id("signals", "message_id"),
        Expectation(
            "language is a code or und", "signals", "ExpectColumnValuesToMatchRegex", "language",
            {"regex": "^([a-z]{2}|und)$"},
        ),
        _between("lengths are not negative", "signals", "chars", 0, None),
        _between("word counts are not negative", "signals", "words", 0, None),
        _between("repetition is a share", "signals", "repetition", 0, 1),
        _between("toxicity is a probability, or null", "signals", "toxicity", 0, 1),
        _none("rule hits lie within the text", "signals", "hits_outside"),
        LEDGER,
    ),
    "filter": (
        _is_id("verdicts", "message_id"),
        _among("verdicts", "action", ACTIONS),
        _none("a message is set aside for a reason, and kept without one", "verdicts", "unreasoned"),
        _none("a reason rests on evidence", "verdicts", "unproven"),
        ALIGNED,
        LEDGER,
        _between("at least one assistant message is left to learn from", "summary", "assistant_kept", 1, None),
    ),
    "assemble": (
        _is_id("examples", "example_id"),
        _between("an example has something to learn", "examples", "trainable", 1, None),
        _none("neighbours differ in role, author or intensity", "examples", "repeats"),
        _none("an example ends with a reply", "examples", "open_ended"),
        _none("only replies are trained on", "examples", "trained_others"),
        _is_id("placements", "message_id"),
        _among("placements", "placement", ("trained", "context", "masked", "dropped")),
        _none("a message is dropped for a reason", "placements", "unreasoned"),
        _none("a message that is not dropped is in an example", "placements", "homeless"),
        ALIGNED,
        LEDGER,
        _none("every kept assistant message is trained once, or counted by reason", "summary", "untrained_unaccounted"),
        NO_METADATA,
        _between("there is at least one example", "summary", "rows:examples", 1, None),
    ),
    "dedup": (
        _is_id("clusters", "example_id"),
        _is_id("clusters", "keeper_id"),
        _between("similarity is a share", "clusters", "similarity", 0, 1),
        _among("clusters", "method", COPY_METHODS),
        _is_id("contaminated", "example_id"),
        _present("contaminated", "evaluation"),
        LEDGER,
        _none("example ids are unique", "summary", "repeated_ids"),
        _none("each cluster has its one keeper", "summary", "keeperless"),
        _none("a keeper is kept", "summary", "keepers_removed"),
        _none("a copy is as similar to its keeper as was asked for", "summary", "unlike_keeper"),
        _none("what an evaluation asks is in no cluster", "summary", "contaminated_kept"),
    ),
    "label": (
        _is_id("labels", "example_id"),
        _among("labels", "method", LABEL_METHODS),
        _among("labels", "category", CATEGORIES),
        _between("confidence is a share", "labels", "confidence", 0, 1),
        _none("an example without a category is unassigned, and no other is", "labels", "contradictory"),
        _none("only the classifier's labels rest on a confidence", "labels", "unfounded"),
        ALIGNED,
        LEDGER,
        _none("a category that the source declares stands", "summary", "declared_overruled"),
    ),
    "mix": (
        _is_id("mixture", "example_id"),
        _among("mixture", "split", SPLITS),
        _between("the order counts up from 0", "mixture", "order", 0, None),
        _none("each category or source has the part that was asked for", "targets", "outside"),
        _is_id("left_out", "example_id"),
        _present("left_out", "reason"),
        *(_is_id(split, "example_id") for split in SPLITS),
        LEDGER,
        _none("the mixture lists exactly what the corpus holds", "summary", "unlisted"),
        NO_METADATA,
        _none("a conversation, and a cluster of near-duplicates, stands in one split only", "summary", "straddling"),
        _between("there is something to train on", "summary", "rows:train", 1, None),
    ),
}  # fmt: skip
