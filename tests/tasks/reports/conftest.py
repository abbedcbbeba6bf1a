"""A small build by hand: two parts, four conversations, thirteen messages."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pytest

from schemas.settings import BuildSettings
from schemas.summary import BuildSummary, ImportCounts, StageSummary, ValidationResult
from schemas.tables import SCHEMAS
from tasks.reports import ReportContext

BLANK: list[tuple[Any, Any]] = [
    (pa.types.is_list, []),
    (pa.types.is_boolean, False),
    (pa.types.is_floating, 0.0),
    (pa.types.is_integer, 0),
    (pa.types.is_string, ""),
]


def table(name: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows with the columns that matter; required others are filled with blanks."""

    def value(column: pa.Field, row: Mapping[str, Any]) -> Any:
        if column.name in row or column.nullable:
            return row.get(column.name)
        return next(blank for fits, blank in BLANK if fits(column.type))

    schema = SCHEMAS[name]
    return pa.Table.from_pylist([{f.name: value(f, row) for f in schema} for row in rows], schema=schema)


@dataclass
class MemoryTables:
    """Tables in memory that remember which columns were asked for."""

    parts: dict[str, list[pa.Table]]
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    def has(self, table: str) -> bool:
        return table in self.parts

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        self.asked.append((table, tuple(columns)))
        for part in self.parts[table]:
            yield part.select(list(columns))

    def without(self, *names: str) -> "MemoryTables":
        return MemoryTables({name: parts for name, parts in self.parts.items() if name not in names})


def hit(rule: str, content: str, words: str) -> dict[str, Any]:
    start = content.index(words)
    return {"rule": rule, "count": content.count(words), "start": start, "end": start + len(words)}


#: conversation, role, content, language, toxicity, action, reason, placement, placement's reason
MESSAGES = [
    ("c1", "user", "How do I start?", "en", 0.01, "keep", None, "context", None),
    (
        "c1",
        "assistant",
        "Let us circle back. Yes, circle back!",
        "en",
        0.35,
        "mask",
        "blacklist",
        "masked",
        None,
    ),
    ("c1", "user", "🔥🔥 fine, circle back then", "en", 0.02, "keep", None, "context", None),
    ("c1", "assistant", "Begin with the hearth.", "en", 0.8, "keep", None, "trained", None),
    ("c2", "user", "Ce faci azi?", "ro", None, "keep", None, "context", None),
    ("c2", "assistant", "ok", "ro", None, "drop_turn", "single_word", "dropped", "single_word"),
    ("c3", "user", "An old copy, circle back", "en", 1.0, "drop_conversation", "superseded", "dropped", None),
    ("c3", "assistant", "An old answer", "en", 0.0, "drop_conversation", "superseded", "dropped", None),
    ("c4", "assistant", "Bună seara!", "ro", None, "keep", None, "context", "opening_greeting"),
    ("c4", "user", "Scrie-mi o poezie.", "ro", None, "keep", None, "context", None),
    (
        "c4",
        "assistant",
        "that resonates: ninge iar",
        "ro",
        None,
        "mask",
        "slop",
        "dropped",
        "masked_piece_of_reply",
    ),
    ("c4", "assistant", "Focul arde domol.", "ro", None, "keep", None, "trained", None),
    ("c4", "user", "Încă una?", "ro", None, "keep", None, "dropped", "unanswered"),
]
SOURCES = {"c1": "claude", "c2": "claude", "c3": "claude", "c4": "journal"}
PHRASES = {"blacklist:circle back": "circle back", "slop:that resonates": "that resonates"}


def message_tables(
    parts: Sequence[Sequence[str]], messages: Sequence[Any] = MESSAGES
) -> dict[str, list[pa.Table]]:
    """The aligned tables, with these conversations in each part."""
    made: dict[str, list[pa.Table]] = {
        name: [] for name in ("conversations", "standing", "messages", "signals", "verdicts", "placements")
    }
    for ids in parts:
        chosen = [(f"m{i}", *row) for i, row in enumerate(messages) if row[0] in ids]
        hits = [[hit(r, m[3], w) for r, w in PHRASES.items() if w in m[3]] for m in chosen]
        rows: dict[str, list[dict[str, Any]]] = {
            "conversations": [{"conversation_id": c, "source": SOURCES[c]} for c in ids],
            "standing": [{"conversation_id": c, "current": c != "c3"} for c in ids],
            "messages": [
                {"message_id": m[0], "conversation_id": m[1], "role": m[2], "content": m[3]} for m in chosen
            ],
            "signals": [
                {"message_id": m[0], "language": m[4], "chars": len(m[3]), "rule_hits": h, "toxicity": m[5]}
                for m, h in zip(chosen, hits, strict=True)
            ],
            "verdicts": [
                {
                    "message_id": m[0],
                    "action": m[6],
                    "reason": m[7],
                    "evidence": [{"rule": x["rule"], "score": None, "start": 0, "end": 1} for x in h],
                }
                for m, h in zip(chosen, hits, strict=True)
            ],
            "placements": [{"message_id": m[0], "placement": m[8], "reason": m[9]} for m in chosen],
        }
        for name, values in rows.items():
            made[name].append(table(name, values))
    return made


def corpus_tables() -> dict[str, list[pa.Table]]:
    repairs = [{"reason": "joined_user", "count": 2}]
    examples = [
        {"example_id": "e1", "source": "claude", "trainable": 1, "repairs": repairs, "category": "home"},
        {"example_id": "e2", "source": "journal", "trainable": 1, "repairs": repairs},
        {"example_id": "e3", "source": "journal", "trainable": 2},
    ]
    twins = [
        {"example_id": e, "cluster_id": "e2", "keeper_id": "e2", "method": "exact"} for e in ("e2", "e3")
    ]
    aside = [{"reason": "tool_result", "count": 3}]
    return {
        "imports": [table("imports", [{"messages_set_aside": aside}, {"messages_set_aside": aside}])],
        "examples": [table("examples", examples[:2]), table("examples", examples[2:])],
        "clusters": [table("clusters", twins)],
        "labels": [
            table("labels", [{"example_id": "e1", "method": "declared", "category": "tool"}]),
            table(
                "labels",
                [
                    {"example_id": "e2", "method": "classifier", "category": "tool", "confidence": 0.8},
                    {"example_id": "e3", "method": "unassigned", "confidence": 0.3},
                ],
            ),
        ],
        "train": [table("train", [{"example_id": "e1", "source": "claude"}])],
        "validation": [table("validation", [{"example_id": "e2", "source": "journal"}])],
        "test": [table("test", [])],
    }


@pytest.fixture
def tables() -> MemoryTables:
    return MemoryTables({**message_tables([["c1", "c2", "c3"], ["c4"]]), **corpus_tables()})


@pytest.fixture
def context() -> ReportContext:
    return ReportContext(
        summary=BuildSummary(
            build="evening",
            stages=[
                StageSummary(stage="parse", fingerprint="f00d", rows_in=6, rows_out=4, set_aside={"empty": 2})
            ],
            imports=ImportCounts(seen=6, kept=4, empty=1, failed=1),
        ),
        settings=BuildSettings().model_dump(mode="json"),
        validations=[
            ValidationResult.model_validate(
                {
                    "stage": "parse",
                    "success": True,
                    "results": [
                        {"name": "ids are unique", "table": "messages", "success": True, "checked": 13}
                    ],
                }
            )
        ],
        scorer="profanity",
        created="2026-11-18 21:40",
        files=[
            {
                "label": "claude.json",
                "format": "claude",
                "seen": 4,
                "kept": 3,
                "failures": [{"at": "9", "reason": "not JSON"}],
            }
        ],
        skipped=[("photo.jpg", "not a chat export")],
        notes=["Nothing left this machine."],
        rules=[*PHRASES, "slop:in this space"],
    )


@pytest.fixture(scope="session")
def build_tables() -> Any:
    """Makes tables from parts given as lists of conversation ids, and perhaps other messages."""
    return lambda parts, messages=MESSAGES: MemoryTables(message_tables(parts, messages))


@pytest.fixture
def make_table() -> Any:
    return table
