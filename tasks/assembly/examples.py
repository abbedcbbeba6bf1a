"""The assemble stage's pure function: one conversation, one example; one placement per message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import hash_fields
from schemas.parts import Part, conversation_rows
from schemas.settings import AssembleSettings
from schemas.tables import EXAMPLES, PLACEMENTS
from tasks.assembly.folding import fold
from tasks.assembly.repair import Assembled, Turn, assemble


def assemble_part(tables: Mapping[str, pa.Table], settings: AssembleSettings) -> Iterator[Part]:
    """Examples and placements of one part, from aligned conversations, messages, signals and verdicts."""
    messages, verdicts = tables["messages"], tables["verdicts"]
    turns = _turns(messages, verdicts)
    languages = tables["signals"]["language"].to_pylist()
    rows = conversation_rows(messages).tolist()
    examples: list[dict[str, Any]] = []
    homes: list[str | None] = []
    start = 0
    for number, conversation in enumerate(_conversations(tables["conversations"])):
        end = start
        while end < len(rows) and rows[end] == number:
            end += 1
        result = assemble(turns[start:end])
        example_id = hash_fields("example", conversation["conversation_id"])
        if result.lines:
            examples.append(
                _example(example_id, conversation, result, settings.separator, languages[start:end])
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
    yield Part({"examples": pa.Table.from_pylist(examples, schema=EXAMPLES), "placements": placements}, tally)


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
    return conversations.select(["conversation_id", "source", "updated_at", "created_at"]).to_pylist()


def _example(
    example_id: str, conversation: dict[str, Any], result: Assembled, separator: str, languages: list[str]
) -> dict[str, Any]:
    lines = [
        {
            "role": line.role,
            "author": line.turns[0].author,
            "intensity": line.turns[0].intensity,
            "content": separator.join(turn.content for turn in line.turns),
            "trainable": line.trainable,
        }
        for line in result.lines
    ]
    texts = [line["content"] for line in lines]
    return {
        "example_id": example_id,
        "conversation_id": conversation["conversation_id"],
        "source": conversation["source"],
        "category": None,
        "language": Counter(languages).most_common(1)[0][0],
        "created_at": conversation["created_at"],
        "messages": lines,
        "trainable": sum(line["trainable"] for line in lines),
        "chars": sum(map(len, texts)),
        "text_bytes": sum(len(text.encode()) for text in texts),
        "text_hash": hash_fields(
            *(field for line in lines for field in (line["role"], fold(line["content"])))
        ),
        "repairs": [
            {"reason": name, "count": count} for name, count in sorted(result.repairs.items()) if count
        ],
    }


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
