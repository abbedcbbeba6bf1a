"""Per stage a part and a summary that pass everything, and for every expectation a fault that it must see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from schemas.expectations import EXPECTATIONS
from schemas.tables import SPLITS
from tests.schemas.rows import an_id, conversation_tables, table

#: Stands in every text of the good parts, and must stand in no result.
SECRET = "zarzavat"
A, B, C = an_id("a"), an_id("b"), an_id("c")

#: stage, table, name of the expectation.
Key = tuple[str, str, str]
Tables = Mapping[str, pa.Table]


class Fault(NamedTuple):
    """Changes to one row (by number) of one table, and other expectations that must see it too."""

    row: int
    changes: dict[str, Any]
    also: tuple[tuple[str, str], ...] = ()


def said(*lines: tuple[str, bool]) -> list[dict[str, Any]]:
    return [{"role": role, "content": SECRET, "trainable": trainable} for role, trainable in lines]


def counted(**reasons: int) -> list[dict[str, Any]]:
    return [{"reason": reason, "count": count} for reason, count in reasons.items()]


def hit(start: int, end: int) -> dict[str, Any]:
    return {"rule": "slop:in this space", "count": 1, "start": start, "end": end}


def parse_part() -> Tables:
    tables = conversation_tables(
        [("user", SECRET), ("assistant", SECRET)],
        [("system", SECRET), ("user", SECRET), ("assistant", SECRET)],
    )
    titled = [{**row, "title": SECRET} for row in tables["conversations"].to_pylist()]
    imports = [
        {
            "file_digest": digest, "conversations_seen": 6, "conversations_kept": 2, "conversations_empty": 1,
            "conversations_failed": 2, "conversations_duplicate": 1, "messages_seen": 9,
            "messages_parsed": counted(user=2, assistant=3), "messages_set_aside": counted(empty=1, other_branch=3),
            "failures": [{"at": "3", "reason": SECRET}], "warnings": [SECRET],
        }
        for digest in (A, B)
    ]  # fmt: skip
    return {**tables, "conversations": table("conversations", *titled), "imports": table("imports", *imports)}


def examples() -> list[dict[str, Any]]:
    dialogue = said(("system", False), ("assistant", False), ("user", False), ("assistant", True))
    return [
        {"example_id": A, "messages": dialogue, "trainable": 1, "chars": 32},
        {"example_id": B, "messages": dialogue[2:], "trainable": 1, "chars": 16},
    ]


def good_parts() -> dict[str, Tables]:
    """Per stage a part that passes everything."""
    scores = {"language": "ro", "chars": 8, "visible_chars": 8, "words": 1, "repetition": 0.5}
    proof = [{"rule": "slop:x", "score": None, "start": 0, "end": 1}]
    return {
        "parse": parse_part(),
        "reconcile": {
            "standing": table(
                "standing",
                {"conversation_id": A, "current": True},
                {"conversation_id": B, "current": False, "superseded_by": A},
            )
        },
        "score": {
            "signals": table(
                "signals",
                {"message_id": A, **scores, "toxicity": 0.3},
                {"message_id": B, **scores, "rule_hits": [hit(0, 8), hit(2, 3)]},
                {"message_id": C, **scores, "language": "und"},
            )
        },
        "filter": {
            "verdicts": table(
                "verdicts",
                {"message_id": A, "action": "keep"},
                {"message_id": B, "action": "keep", "evidence": proof},
                {"message_id": C, "action": "mask", "reason": "slop", "evidence": proof},
            )
        },
        "assemble": {
            "examples": table("examples", *examples()),
            "placements": table(
                "placements",
                {"message_id": A, "placement": "trained", "example_id": A},
                {"message_id": B, "placement": "masked", "reason": "slop", "example_id": A},
                {"message_id": C, "placement": "dropped", "reason": "unanswered"},
            ),
        },
        "dedup": {
            "clusters": table(
                "clusters",
                *(
                    {"example_id": i, "cluster_id": C, "keeper_id": A, "similarity": 1.0, "method": "exact"}
                    for i in (A, B)
                ),
            ),
            "contaminated": table(
                "contaminated",
                {"example_id": C, "evaluation": "eval.txt:1", "similarity": 1.0, "method": "exact"},
            ),
        },
        "label": {
            "labels": table(
                "labels",
                {"example_id": A, "method": "classifier", "category": "creative", "confidence": 0.9},
                {"example_id": B, "method": "declared", "category": "tool"},
                {"example_id": C, "method": "unassigned", "confidence": 0.2},
            )
        },
        "mix": {
            "mixture": table(
                "mixture",
                {"example_id": A, "phase": 1, "split": "train", "order": 0},
                {"example_id": B, "phase": 1, "split": "test", "order": 0},
            ),
            **{
                split: table(split, *({"example_id": i, "messages": said(("user", False))} for i in (A, B)))
                for split in SPLITS
            },
            "targets": table(
                "targets",
                {"kind": "category", "name": "tool", "rows": 60, "kept_low": 0.5, "kept_high": 0.8},
                {"kind": "category", "name": "factual", "rows": 40, "kept_low": 0.38, "kept_high": 0.5},
                {"kind": "total", "name": "total", "rows": 100},
            ),
            "left_out": table("left_out", {"example_id": C, "reason": "over_range"}),
        },
    }


#: Per stage a summary that passes everything, and the rows that came in.
GOOD_SUMMARIES: dict[str, tuple[dict[str, int], int | None]] = {
    "parse": (
        {"seen": 5, "kept": 4, "set_aside:empty": 1, "rows:conversations": 4, "rows:messages": 9}
        | {"role:user": 4, "role:assistant": 5},
        None,
    ),
    "reconcile": ({"current": 3, "set_aside:superseded": 1, "current_repeated": 0}, 4),
    "score": ({"rows:signals": 9}, 9),
    "filter": ({"kept": 6, "masked": 2, "set_aside:single_word": 1, "assistant_kept": 3, "misaligned": 0}, 9),
    "assemble": (
        {"trained": 3, "context": 3, "masked": 2, "set_aside:unanswered": 1, "rows:examples": 2}
        | {"misaligned": 0, "untrained_unaccounted": 0, "foreign_chars": 0},
        9,
    ),
    "label": ({"rows:labels": 3, "misaligned": 0, "declared_overruled": 0}, 3),
    "dedup": (
        {"keepers": 3, "set_aside:exact_duplicate": 1, "repeated_ids": 0, "keeperless": 0}
        | {"keepers_removed": 0, "unlike_keeper": 0, "contaminated_kept": 0},
        4,
    ),
    "mix": (
        {"rows:train": 2, "rows:validation": 1, "rows:test": 1, "rows:mixture": 4, "set_aside:over_total": 2}
        | {"examples:train": 1, "examples:validation": 1, "examples:test": 1}
        | {"foreign_chars": 0, "straddling": 0},
        5,
    ),
}

LEDGER = "the ledger balances: rows in = rows out + set aside"
ALIGNED = "aligned tables speak of the same rows"
NO_METADATA = "the text is the messages' own: no tag or metadata was added"

ROW_FAULTS: dict[Key, Fault] = {
    ("parse", "imports", "file_digest is a 128-bit id"): Fault(0, {"file_digest": "chats.json"}),
    ("parse", "imports", "conversations seen = kept + empty + failed + duplicate + left out"): Fault(
        1, {"conversations_empty": 0}
    ),
    ("parse", "imports", "messages seen = parsed + set aside"): Fault(
        1, {"messages_set_aside": counted(empty=1)}
    ),
    ("parse", "conversations", "conversation_id is a 128-bit id"): Fault(
        1, {"conversation_id": "conversation-2"}, also=(("messages", "every message has its conversation"),)
    ),
    ("parse", "conversations", "source is present"): Fault(0, {"source": None}),
    ("parse", "conversations", "a conversation has messages"): Fault(1, {"messages": 0}),
    ("parse", "messages", "message_id is a 128-bit id"): Fault(2, {"message_id": A.upper()}),
    ("parse", "messages", "role is a known one"): Fault(1, {"role": "Assistant"}),
    ("parse", "messages", "content is not blank"): Fault(4, {"content": " \n\u00a0"}),
    ("parse", "messages", "positions count up from 0 within a conversation"): Fault(4, {"position": 3}),
    ("parse", "messages", "every message has its conversation"): Fault(3, {"conversation_id": C}),
    ("reconcile", "standing", "conversation_id is a 128-bit id"): Fault(0, {"conversation_id": ""}),
    ("reconcile", "standing", "a copy is either current or superseded"): Fault(1, {"current": True}),
    ("score", "signals", "message_id is a 128-bit id"): Fault(0, {"message_id": A + "0"}),
    ("score", "signals", "language is a code or und"): Fault(2, {"language": "Romanian"}),
    ("score", "signals", "lengths are not negative"): Fault(0, {"chars": -1}),
    ("score", "signals", "word counts are not negative"): Fault(1, {"words": -1}),
    ("score", "signals", "repetition is a share"): Fault(1, {"repetition": 1.5}),
    ("score", "signals", "toxicity is a probability, or null"): Fault(0, {"toxicity": -1.0}),
    ("score", "signals", "rule hits lie within the text"): Fault(1, {"rule_hits": [hit(0, 8), hit(5, 9)]}),
    ("filter", "verdicts", "message_id is a 128-bit id"): Fault(0, {"message_id": "m1"}),
    ("filter", "verdicts", "action is a known one"): Fault(2, {"action": "delete"}),
    ("filter", "verdicts", "a message is set aside for a reason, and kept without one"): Fault(
        2, {"reason": None}
    ),
    ("filter", "verdicts", "a reason rests on evidence"): Fault(2, {"evidence": []}),
    ("assemble", "examples", "example_id is a 128-bit id"): Fault(1, {"example_id": "e1"}),
    ("assemble", "examples", "an example has something to learn"): Fault(1, {"trainable": 0}),
    ("assemble", "examples", "neighbours differ in role, author or intensity"): Fault(
        0, {"messages": said(("user", False), ("user", False), ("assistant", True))}
    ),
    ("assemble", "examples", "an example ends with a reply"): Fault(
        1, {"messages": said(("user", False), ("assistant", True), ("user", False))}
    ),
    ("assemble", "examples", "only replies are trained on"): Fault(
        1, {"messages": said(("user", True), ("assistant", True))}
    ),
    ("assemble", "placements", "message_id is a 128-bit id"): Fault(1, {"message_id": "m1"}),
    ("assemble", "placements", "placement is a known one"): Fault(0, {"placement": "learned"}),
    ("assemble", "placements", "a message is dropped for a reason"): Fault(2, {"reason": None}),
    ("assemble", "placements", "a message that is not dropped is in an example"): Fault(
        0, {"example_id": None}
    ),
    ("dedup", "clusters", "example_id is a 128-bit id"): Fault(1, {"example_id": "e1"}),
    ("dedup", "clusters", "keeper_id is a 128-bit id"): Fault(1, {"keeper_id": "e1"}),
    ("dedup", "clusters", "similarity is a share"): Fault(1, {"similarity": 1.01}),
    ("label", "labels", "example_id is a 128-bit id"): Fault(1, {"example_id": "e1"}),
    ("label", "labels", "method is a known one"): Fault(1, {"method": "guessed"}),
    ("label", "labels", "category is a known one"): Fault(1, {"category": "code"}),
    ("label", "labels", "confidence is a share"): Fault(2, {"confidence": 1.2}),
    ("label", "labels", "an example without a category is unassigned, and no other is"): Fault(
        2, {"category": "factual"}
    ),
    ("label", "labels", "only the classifier's labels rest on a confidence"): Fault(0, {"confidence": None}),
    ("dedup", "clusters", "method is a known one"): Fault(1, {"method": "fuzzy"}),
    ("dedup", "contaminated", "example_id is a 128-bit id"): Fault(0, {"example_id": "e1"}),
    ("dedup", "contaminated", "evaluation is present"): Fault(0, {"evaluation": None}),
    ("mix", "mixture", "example_id is a 128-bit id"): Fault(0, {"example_id": "e1"}),
    ("mix", "mixture", "split is a known one"): Fault(1, {"split": "dev"}),
    ("mix", "mixture", "the order counts up from 0"): Fault(1, {"order": -1}),
    ("mix", "targets", "each category or source has the part that was asked for"): Fault(1, {"rows": 30}),
    ("mix", "left_out", "example_id is a 128-bit id"): Fault(0, {"example_id": "e1"}),
    ("mix", "left_out", "reason is present"): Fault(0, {"reason": None}),
    **{("mix", split, "example_id is a 128-bit id"): Fault(1, {"example_id": "e1"}) for split in SPLITS},
}

SUMMARY_FAULTS: dict[Key, dict[str, int]] = {
    **{(stage, "summary", LEDGER): {"set_aside:unknown": 1} for stage in EXPECTATIONS},
    ("parse", "summary", "at least one conversation was read"): {
        "kept": 0,
        "rows:conversations": 0,
        "seen": 1,
    },
    ("parse", "summary", "conversations written = conversations counted"): {"kept": 5},
    ("parse", "summary", "messages written = messages counted by role"): {"role:user": 3},
    ("reconcile", "summary", "each conversation has one current copy"): {"current_repeated": 1},
    ("filter", "summary", ALIGNED): {"misaligned": 2},
    ("filter", "summary", "at least one assistant message is left to learn from"): {"assistant_kept": 0},
    ("assemble", "summary", ALIGNED): {"misaligned": 2},
    ("assemble", "summary", "every kept assistant message is trained once, or counted by reason"): {
        "untrained_unaccounted": 1
    },
    ("assemble", "summary", NO_METADATA): {"foreign_chars": 14},
    ("assemble", "summary", "there is at least one example"): {"rows:examples": 0},
    ("dedup", "summary", "example ids are unique"): {"repeated_ids": 1},
    ("dedup", "summary", "each cluster has its one keeper"): {"keeperless": 1},
    ("label", "summary", ALIGNED): {"misaligned": 2},
    ("label", "summary", "a category that the source declares stands"): {"declared_overruled": 1},
    ("dedup", "summary", "a keeper is kept"): {"keepers_removed": 1},
    ("dedup", "summary", "a copy is as similar to its keeper as was asked for"): {"unlike_keeper": 1},
    ("dedup", "summary", "what an evaluation asks is in no cluster"): {"contaminated_kept": 1},
    ("mix", "summary", "the mixture lists exactly what the corpus holds"): {"rows:mixture": 3},
    ("mix", "summary", NO_METADATA): {"foreign_chars": 14},
    ("mix", "summary", "a conversation, and a cluster of near-duplicates, stands in one split only"): {
        "straddling": 1
    },
    ("mix", "summary", "there is something to train on"): {"rows:train": 0, "rows:test": 3},
}


def planted(tables: Tables, name: str, fault: Fault) -> Tables:
    rows = tables[name].to_pylist()
    assert set(fault.changes) <= set(rows[0])
    rows[fault.row] |= fault.changes
    return {**tables, name: table(name, *rows)}
