"""The assemble stage's pure function: one conversation, one example; one placement per message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import hash_fields
from schemas.parts import Part, conversation_rows
from schemas.settings import AssembleSettings
from schemas.tables import EXAMPLES, PLACEMENTS, PLAIN_TEXT
from tasks.assembly.folding import fold
from tasks.assembly.repair import Assembled, Turn, assemble


def assemble_part(tables: Mapping[str, pa.Table], settings: AssembleSettings) -> Iterator[Part]:
    """Examples and placements of one part, from aligned conversations, messages, signals and verdicts."""
    messages, verdicts = tables["messages"], tables["verdicts"]
    turns = _turns(messages, verdicts)
    languages = tables["signals"]["language"].to_pylist()
    ratings = messages["rating"].to_pylist()
    rows = conversation_rows(messages).tolist()
    examples: list[dict[str, Any]] = []
    homes: list[str | None] = []
    start = 0
    for number, conversation in enumerate(_conversations(tables["conversations"])):
        end = start
        while end < len(rows) and rows[end] == number:
            end += 1
        result = assemble(turns[start:end], PLAIN_TEXT in conversation["flags"])
        example_id = hash_fields("example", conversation["conversation_id"])
        if result.lines:
            examples.append(
                _example(example_id, conversation, result, settings.separator, languages[start:end])
                | {"rating": _rating(ratings[start:end])}
            )
        homes += [None if turn.placement == "dropped" else example_id for turn in turns[start:end]]
        start = end
    placements = pa.Table.from_arrays(
        [
            messages["message_id"].combine_chunks(),
            pa.array([turn.placement for turn in turns], pa.string()),
            pa.array([turn.reason for turn in turns], pa.string()),
            pa.array(homes, pa.string()),
        ],
        schema=PLACEMENTS,
    )
    tally = _tally(turns, verdicts)
    tally["misaligned"] = pc.sum(pc.not_equal(messages["message_id"], verdicts["message_id"])).as_py() or 0
    table = pa.Table.from_pylist(examples, schema=EXAMPLES)
    tally["foreign_chars"] = _foreign_chars(messages, placements, table, len(settings.separator))
    yield Part({"examples": table, "placements": placements}, tally)


def _turns(messages: pa.Table, verdicts: pa.Table) -> list[Turn]:
    columns = [messages[name].to_pylist() for name in ("role", "content", "author", "intensity")]
    decided = zip(verdicts["action"].to_pylist(), verdicts["reason"].to_pylist(), strict=True)
    return [
        Turn(role=role, content=content, author=author, intensity=intensity, action=action, reason=reason)
        for (role, content, author, intensity), (action, reason) in zip(
            zip(*columns, strict=True), decided, strict=True
        )
    ]


def _conversations(conversations: pa.Table) -> list[dict[str, Any]]:
    named = conversations.select(["conversation_id", "source", "created_at", "category", "flags"])
    rows: list[dict[str, Any]] = named.to_pylist()
    return rows


def _example(
    example_id: str, conversation: dict[str, Any], result: Assembled, separator: str, languages: list[str]
) -> dict[str, Any]:
    texts = [separator.join(turn.content for turn in line.turns) for line in result.lines]
    lines = [
        {
            "role": line.role,
            "author": line.turns[0].author,
            "intensity": line.turns[0].intensity,
            "content": text,
            "trainable": line.trainable,
        }
        for line, text in zip(result.lines, texts, strict=True)
    ]
    return {
        "example_id": example_id,
        "conversation_id": conversation["conversation_id"],
        "source": conversation["source"],
        "category": conversation["category"],
        "language": Counter(languages).most_common(1)[0][0],
        "created_at": conversation["created_at"],
        "messages": lines,
        "trainable": sum(line.trainable for line in result.lines),
        "chars": sum(map(len, texts)),
        "text_bytes": sum(len(text.encode()) for text in texts),
        "text_hash": _text_hash(result, texts),
        "repairs": [
            {"reason": name, "count": count} for name, count in sorted(result.repairs.items()) if count
        ],
    }


def _rating(ratings: list[str | None]) -> float | None:
    """The number that a declared source rates the conversation with; null where nobody rated it with one."""
    for rating in reversed([rating for rating in ratings if rating is not None]):
        with suppress(ValueError):
            return float(rating)
    return None


def _foreign_chars(messages: pa.Table, placements: pa.Table, examples: pa.Table, separator: int) -> int:
    """Characters in the examples that are neither those of the placed messages nor separators between them.

    Counted on the tables, not on the way to them: metadata must not reach what a model reads.
    """
    placed = pc.not_equal(placements["placement"], "dropped")
    there = messages["content"].filter(placed)
    lines = pc.struct_field(pc.list_flatten(examples["messages"].combine_chunks()), "content")
    expected = _characters(there) + separator * (len(there) - len(lines))
    return abs(_characters(lines) - expected)


def _characters(texts: pa.Array | pa.ChunkedArray) -> int:
    return pc.sum(pc.utf8_length(texts)).as_py() or 0


def _text_hash(result: Assembled, texts: list[str]) -> str:
    """Equal for examples whose folded texts are equal, message by message."""
    fields = [
        field for line, text in zip(result.lines, texts, strict=True) for field in (line.role, fold(text))
    ]
    return hash_fields(*fields)


def _tally(turns: list[Turn], verdicts: pa.Table) -> dict[str, int]:
    """Where the messages went. Kept replies that are not trained are counted by reason of their own."""
    tally: Counter[str] = Counter({"trained": 0, "context": 0, "masked": 0})
    kept_replies = trained = counted = 0
    for turn in turns:
        if turn.placement == "dropped":
            tally[f"set_aside:{turn.reason}"] += 1
        else:
            tally[turn.placement] += 1
        if turn.role == "assistant" and turn.action == "keep":
            kept_replies += 1
            trained += turn.placement == "trained"
            if turn.placement != "trained" and turn.reason is not None:
                counted += 1
                tally[f"untrained:{turn.reason}"] += 1
    tally["untrained_unaccounted"] = kept_replies - trained - counted
    return dict(tally)
