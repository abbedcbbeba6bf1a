"""The tables of the house, as explicit Arrow schemas.

Every table is written with exactly its schema: nullable columns are those where "not known" has a meaning. Times
are UTC with microseconds. Evidence and spans count Unicode code points. "Aligned" tables have the same parts and
the same row order as the table they speak of.
"""

from __future__ import annotations

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")
ROLES = ("system", "user", "assistant", "tool_call", "tool")
ACTIONS = ("keep", "mask", "drop_turn", "drop_conversation")
SPLITS = ("train", "validation", "test")
#: Flag of a conversation that is a text by itself (a story, a journal): no question stands before it.
PLAIN_TEXT = "plain_text"
COPY_METHODS = ("exact", "near", "semantic")
TOXICITY_LABELS = ("toxicity", "severe_toxicity", "obscene", "threat", "insult", "identity_attack")


def _field(name: str, kind: pa.DataType, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable)


def _table(
    *required: tuple[str, pa.DataType], optional: tuple[tuple[str, pa.DataType], ...] = ()
) -> pa.Schema:
    return pa.schema([_field(n, t) for n, t in required] + [_field(n, t, True) for n, t in optional])


def _records(*fields: tuple[str, pa.DataType]) -> pa.DataType:
    return pa.list_(pa.field("item", pa.struct([pa.field(n, t) for n, t in fields])))


S, I32, I64, F32, F64, B = pa.string(), pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.bool_()
COUNTS = _records(("reason", S), ("count", I64))
EXAMPLE_MESSAGES = _records(("role", S), ("author", S), ("intensity", S), ("content", S), ("trainable", B))

#: A file that was read. conversations_seen = kept + empty + failed + duplicate + sum(left out);
#: messages_seen = parsed + set aside. Left out, by reason, is what a declared source asks to leave out, or what lacks
#: a text that it asks for.
IMPORTS = _table(
    ("file_digest", S), ("format", S), ("source", S), ("encoding", S), ("bytes", I64),
    ("conversations_seen", I64), ("conversations_kept", I64), ("conversations_empty", I64),
    ("conversations_failed", I64), ("conversations_duplicate", I64),
    ("messages_seen", I64), ("messages_parsed", COUNTS), ("messages_set_aside", COUNTS),
    ("failures", _records(("at", S), ("reason", S))), ("warnings", pa.list_(S)),
    optional=(("conversations_left_out", COUNTS),),
)  # fmt: skip

CONVERSATIONS = _table(
    ("conversation_id", S), ("source", S), ("provider", S), ("file_digest", S), ("content_hash", S),
    ("messages", I32), ("branches", I32), ("flags", pa.list_(S)),
    optional=(("native_id", S), ("model", S), ("title", S), ("created_at", TIME), ("updated_at", TIME),
              ("category", S)),
)  # fmt: skip

#: A message on the active branch, in branch order (`position` from 0). `intensity` is a number from 0 to 1 as text:
#: how strongly its author speaks, where a corpus says so.
MESSAGES = _table(
    ("message_id", S), ("conversation_id", S), ("position", I32), ("role", S), ("content", S), ("content_hash", S),
    optional=(("author", S), ("intensity", S), ("created_at", TIME), ("model", S), ("rating", S)),
)  # fmt: skip

#: A chosen/rejected pair of replies to the same turn.
PREFERENCES = _table(
    ("preference_id", S),
    ("conversation_id", S),
    ("prompt_message_id", S),
    ("chosen", S),
    ("rejected", S),
    ("origin", S),
)

#: Aligned with conversations: current, or superseded by a newer copy in an overlapping export.
STANDING = _table(("conversation_id", S), ("current", B), optional=(("superseded_by", S),))

#: Aligned with messages. A toxicity score is null where the message was not scored, and never 0 instead.
#: `chars` is the length of the content, `visible_chars` of what a reader sees of it.
SIGNALS = _table(
    ("message_id", S), ("language", S), ("language_inherited", B),
    ("chars", I32), ("visible_chars", I32), ("words", I32),
    ("ellipsis_only", B), ("repetition", F32),
    ("rule_hits", _records(("rule", S), ("count", I32), ("start", I32), ("end", I32))),
    optional=tuple((label, F32) for label in TOXICITY_LABELS),
)  # fmt: skip

#: Aligned with messages. `reason` is null when the action is `keep`; evidence may also hold flags.
VERDICTS = _table(
    ("message_id", S), ("action", S),
    ("evidence", _records(("rule", S), ("score", F32), ("start", I32), ("end", I32))),
    optional=(("reason", S),),
)  # fmt: skip

#: A training example: one conversation. Neighbours differ in role, or in author or intensity: two assistants may answer
#: one after the other, and a trainer that wants roles to alternate joins them.
EXAMPLES = _table(
    ("example_id", S), ("conversation_id", S), ("source", S), ("messages", EXAMPLE_MESSAGES),
    ("trainable", I32), ("chars", I64), ("repairs", COUNTS), ("text_hash", S), ("text_bytes", I64),
    optional=(("category", S), ("language", S), ("created_at", TIME), ("rating", F32)),
)  # fmt: skip

#: Aligned with messages: where each message went. placement: trained, context, masked or dropped (with a reason).
PLACEMENTS = _table(("message_id", S), ("placement", S), optional=(("reason", S), ("example_id", S)))

#: An example with a twin; the keeper's own row points to itself.
CLUSTERS = _table(("example_id", S), ("cluster_id", S), ("keeper_id", S), ("similarity", F32), ("method", S))

#: An example that says what an evaluation asks; it must not be trained on. `evaluation` names the file and prompt.
CONTAMINATED = _table(("example_id", S), ("evaluation", S), ("similarity", F32), ("method", S))

LABELS = _table(("example_id", S), ("method", S), optional=(("category", S), ("confidence", F32)))

MIXTURE = _table(("example_id", S), ("phase", I32), ("split", S), ("order", I64))

#: What the mixture has of each part of its contract: a category, a source, or the total. `asked_*` as they were
#: written, `low` and `high` as parts of 1, `kept_*` what became of them (null: left out). `rows` counts repeats.
TARGETS = _table(
    ("kind", S), ("name", S), ("available", I64), ("got", I64), ("rows", I64),
    optional=(("asked_low", F64), ("asked_high", F64), ("low", F64), ("high", F64), ("kept_low", F64),
              ("kept_high", F64), ("remark", S)),
)  # fmt: skip

#: Examples (distinct), rows and tokens of the corpus by phase, split, source and category; phase 0 is the whole corpus,
#: with each example once.
PORTIONS = _table(
    ("phase", I32), ("phase_name", S), ("split", S), ("source", S), ("examples", I64), ("rows", I64),
    optional=(("category", S), ("tokens", I64)),
)  # fmt: skip

#: An example that deduplication left in and that is not in the corpus.
LEFT_OUT = _table(("example_id", S), ("reason", S))

#: What a trainer reads; metadata stands in columns and never in the text.
CORPUS = _table(
    ("example_id", S), ("conversation_id", S), ("source", S), ("phase", I32), ("messages", EXAMPLE_MESSAGES),
    optional=(("category", S), ("language", S)),
)  # fmt: skip

SCHEMAS: dict[str, pa.Schema] = {
    "imports": IMPORTS, "conversations": CONVERSATIONS, "messages": MESSAGES, "preferences": PREFERENCES,
    "standing": STANDING, "signals": SIGNALS, "verdicts": VERDICTS, "examples": EXAMPLES, "placements": PLACEMENTS,
    "clusters": CLUSTERS, "contaminated": CONTAMINATED, "labels": LABELS, "mixture": MIXTURE,
    "targets": TARGETS, "portions": PORTIONS, "left_out": LEFT_OUT,
    **dict.fromkeys(SPLITS, CORPUS),
}  # fmt: skip
