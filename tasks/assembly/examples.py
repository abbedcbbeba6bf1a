"""The assemble stage's pure function: one conversation, one example; one placement per message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.ids import encode_fields, hash_bytes
from schemas.parts import Part, conversation_rows
from schemas.settings import AssembleSettings
from schemas.tables import EXAMPLE_MESSAGES, EXAMPLES, PLAIN_TEXT
from schemas.tables import PLACEMENTS as PLACEMENT_TABLE
from tasks.assembly.folding import fold_all
from tasks.assembly.lines import PLACEMENTS, Lines, lines_of


def assemble_part(tables: Mapping[str, pa.Table], settings: AssembleSettings) -> Iterator[Part]:
    """Examples and placements of one part, from aligned conversations, messages, signals and verdicts."""
    messages, verdicts, conversations = tables["messages"], tables["verdicts"], tables["conversations"]
    rows = conversation_rows(messages)
    lines = lines_of(messages, verdicts, rows, _texts_by_themselves(conversations))
    ids = _example_ids(conversations)
    placements = _placements(messages, lines, ids.take(pa.array(rows)))
    texts = _texts(messages["content"].combine_chunks(), lines, settings.separator)
    told = {
        "language": pa.array(_languages(tables["signals"]["language"].combine_chunks(), rows), pa.string()),
        "rating": pa.array(_ratings(messages["rating"].combine_chunks(), rows, len(ids)), pa.float32()),
    }
    examples = _examples(conversations, messages, lines, texts, ids, told)
    tally = _tally(messages, verdicts, placements)
    tally["misaligned"] = pc.sum(pc.not_equal(messages["message_id"], verdicts["message_id"])).as_py() or 0
    tally["foreign_chars"] = _foreign_chars(messages, placements, examples, len(settings.separator))
    yield Part({"examples": examples, "placements": placements}, tally)


def _example_ids(conversations: pa.Table) -> pa.Array:
    begun = encode_fields("example")
    ids = conversations["conversation_id"].to_pylist()
    return pa.array([hash_bytes(begun + encode_fields(conversation)) for conversation in ids], pa.string())


def _texts_by_themselves(conversations: pa.Table) -> np.ndarray:
    """The rows of conversations that are a story or a journal: no question stands before them."""
    flags = conversations["flags"].combine_chunks()
    found = pc.equal(pc.list_flatten(flags), PLAIN_TEXT)
    return np.asarray(pc.list_parent_indices(flags).filter(found).to_numpy(), np.int64)


def _ratings(rating: pa.Array, rows: np.ndarray, conversations: int) -> list[float | None]:
    """Per conversation the number that a declared source rates it with; null where nobody rated it with one."""
    found: list[float | None] = [None] * conversations
    rated = np.flatnonzero(rating.is_valid().to_numpy(zero_copy_only=False))
    for row, given in zip(rows[rated].tolist(), rating.take(pa.array(rated)).to_pylist(), strict=True):
        with suppress(ValueError):
            found[row] = float(given)  # of several the last
    return found


def _placements(messages: pa.Table, lines: Lines, homes: pa.Array) -> pa.Table:
    dropped = pa.array(lines.placements == PLACEMENTS.index("dropped"))
    columns = [
        messages["message_id"].combine_chunks(),
        pa.array(PLACEMENTS).take(pa.array(lines.placements)),
        lines.reasons,
        pc.if_else(dropped, pa.scalar(None, pa.string()), homes),
    ]
    return pa.Table.from_arrays(columns, schema=PLACEMENT_TABLE)


def _texts(contents: pa.Array, lines: Lines, separator: str) -> pa.Array:
    """The text of each line; those of joined messages are made here, the others are the messages' own."""
    texts = contents.take(pa.array(lines.first))
    if not lines.joined:
        return texts
    several = np.isin(lines.first, list(lines.joined))
    made = [
        separator.join(contents.take(pa.array(lines.joined[first])).to_pylist())
        for first in lines.first[several].tolist()
    ]
    return pc.replace_with_mask(texts, pa.array(several), pa.array(made, pa.string()))


def _languages(language: pa.Array, rows: np.ndarray) -> list[str]:
    """Per conversation the most common language of its messages, of equally common ones the first."""
    coded = pc.dictionary_encode(language)
    codes, names = coded.indices.to_numpy(), coded.dictionary.to_pylist()
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]][: len(rows)])
    if not len(starts):
        return []
    found = codes[starts].copy()
    mixed = np.minimum.reduceat(codes, starts) != np.maximum.reduceat(codes, starts)
    ends = np.r_[starts[1:], len(rows)]
    for number in np.flatnonzero(mixed).tolist():
        inside = codes[starts[number] : ends[number]].tolist()
        found[number] = Counter(inside).most_common(1)[0][0]
    return [names[code] for code in found.tolist()]


def _examples(
    conversations: pa.Table,
    messages: pa.Table,
    lines: Lines,
    texts: pa.Array,
    ids: pa.Array,
    told: Mapping[str, pa.Array],
) -> pa.Table:
    """The examples, in the order of their conversations; `told` is known of each conversation."""
    starts = np.flatnonzero(np.r_[True, lines.owner[1:] != lines.owner[:-1]][: len(lines.owner)])
    owners = lines.owner[starts]
    chosen, first = pa.array(owners), pa.array(lines.first)
    named = conversations.take(chosen)
    parts = [messages[name].combine_chunks().take(first) for name in ("role", "author", "intensity")]
    fields = [*parts, texts, pa.array(lines.trainable)]
    inside = pa.StructArray.from_arrays(fields, fields=list(EXAMPLE_MESSAGES.value_type))
    offsets = pa.array(np.r_[starts, len(lines.owner)].astype(np.int32))
    chars, sizes = (
        count(texts).to_numpy(zero_copy_only=False) for count in (pc.utf8_length, pc.binary_length)
    )
    columns = {
        "example_id": ids.take(chosen),
        "conversation_id": named["conversation_id"],
        "source": named["source"],
        "messages": pa.ListArray.from_arrays(offsets, inside, type=EXAMPLE_MESSAGES),
        "trainable": _sums(lines.trainable, starts).astype(np.int32),
        "chars": _sums(chars, starts),
        "repairs": [_repairs(lines.repairs.get(owner)) for owner in owners.tolist()],
        "text_hash": _text_hashes(parts[0], texts, starts),
        "text_bytes": _sums(sizes, starts),
        "category": named["category"],
        "created_at": named["created_at"],
        **{name: column.take(chosen) for name, column in told.items()},
    }
    arrays = [_array(columns[field.name], field.type) for field in EXAMPLES]
    return pa.Table.from_arrays(arrays, schema=EXAMPLES)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values, kind)


def _sums(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The sum of each example's lines, which begin at `starts`."""
    return np.add.reduceat(values, starts, dtype=np.int64) if len(starts) else np.zeros(0, np.int64)


def _repairs(repairs: Counter[str] | None) -> list[dict[str, Any]]:
    counted = sorted((repairs or {}).items())
    return [{"reason": name, "count": count} for name, count in counted if count]


def _text_hashes(roles: pa.Array, texts: pa.Array, starts: np.ndarray) -> list[str]:
    """Equal for examples whose folded texts are equal, message by message."""
    begun = {role: encode_fields(role) for role in pc.unique(roles).to_pylist()}
    pieces = [
        b"%b%d:%b" % (begun[role], len(text), text)
        for role, text in zip(roles.to_pylist(), fold_all(texts), strict=True)
    ]
    borders = [*starts.tolist(), len(pieces)]
    return [hash_bytes(b"".join(pieces[a:b])) for a, b in pairwise(borders)]


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


def _tally(messages: pa.Table, verdicts: pa.Table, placements: pa.Table) -> dict[str, int]:
    """Where the messages went. Kept replies that are not trained are counted by reason of their own."""
    tally: Counter[str] = Counter({"trained": 0, "context": 0, "masked": 0})
    reply = pc.and_(pc.equal(messages["role"], "assistant"), pc.equal(verdicts["action"], "keep"))
    keys = ["placement", "reason", "reply"]
    together = pa.table({name: placements[name] for name in keys[:2]} | {"reply": reply})
    unaccounted = 0
    for row in together.group_by(keys).aggregate([([], "count_all")]).to_pylist():
        placement, reason, count = row["placement"], row["reason"], row["count_all"]
        tally[f"set_aside:{reason}" if placement == "dropped" else placement] += count
        if row["reply"] and placement != "trained":
            unaccounted += count if reason is None else 0
            if reason is not None:
                tally[f"untrained:{reason}"] += count
    tally["untrained_unaccounted"] = unaccounted
    return dict(tally)
