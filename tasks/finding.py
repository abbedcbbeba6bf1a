"""Finding a message or a conversation by its id, by the beginning of it, or by the provider's own id."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from tasks.accounts import BuildTables

#: Fewer characters of an id than this are not looked for: too much would begin with them.
SHORTEST = 6
#: Where ids stand: kind, table, column.
_PLACES = (
    ("message", "messages", "message_id"),
    ("conversation", "conversations", "conversation_id"),
    ("conversation", "conversations", "native_id"),
    ("example", "examples", "example_id"),
)


@dataclass(frozen=True)
class Match:
    """An id that was found: its kind, and the rows (numbers over all parts) that have it, several for copies."""

    kind: str
    id: str
    rows: tuple[int, ...]


def find_id(tables: BuildTables, wanted: str) -> list[Match]:
    """Everything that has this id; when nothing has, everything whose id begins with it.

    One match is the answer, several are candidates. Reads columns of ids only.
    """
    exact: list[Match] = []
    begun: list[Match] = []
    for kind, table, column in _PLACES:
        if not tables.has(table):
            continue
        for native in {wanted, wanted.lower()} if column != "native_id" else {wanted}:
            for match in _matches(tables, kind, table, column, native):
                (exact if match.id == native else begun).append(match)
    return _distinct(exact or begun)


def _matches(tables: BuildTables, kind: str, table: str, column: str, wanted: str) -> Iterator[Match]:
    found: dict[str, list[int]] = {}
    offset = 0
    for part in tables.scan(table, [column]):
        ids = part[column].combine_chunks()
        hits = pc.indices_nonzero(pc.fill_null(pc.starts_with(ids, wanted), fill_value=False))
        for row, text in zip(hits.to_pylist(), ids.take(hits).to_pylist(), strict=True):
            found.setdefault(text, []).append(offset + row)
        offset += part.num_rows
    for text, rows in found.items():
        yield Match(kind, text, tuple(rows))


def _distinct(matches: list[Match]) -> list[Match]:
    """Each row once: an id and the provider's id may both begin with the same characters."""
    seen: dict[tuple[str, tuple[int, ...]], Match] = {}
    for match in matches:
        seen.setdefault((match.kind, match.rows), match)
    return sorted(seen.values(), key=lambda match: (match.kind, match.id))


def looked_at(tables: BuildTables) -> dict[str, int]:
    """How many ids a search has looked at, by table."""
    counts = {}
    for table in dict.fromkeys(table for _, table, _ in _PLACES):
        if tables.has(table):
            counts[table] = tables.rows(table)
    return counts


def conversation_of(tables: BuildTables, message: int) -> tuple[int, range]:
    """Row of the conversation that holds a message, and the rows of all its messages."""
    first_message = first_conversation = 0
    for part in tables.scan("messages", ["position"]):
        if message < first_message + part.num_rows:
            starts = _starts(part)
            number = int(pc.sum(pc.less_equal(starts, message - first_message)).as_py()) - 1
            return first_conversation + number, _range(starts, number, part.num_rows, first_message)
        first_message += part.num_rows
        first_conversation += len(_starts(part))
    raise IndexError(message)


def messages_of(tables: BuildTables, conversation: int) -> range:
    """Rows of the messages of a conversation, by its row."""
    first_message = first_conversation = 0
    for part in tables.scan("messages", ["position"]):
        starts = _starts(part)
        if conversation < first_conversation + len(starts):
            return _range(starts, conversation - first_conversation, part.num_rows, first_message)
        first_message += part.num_rows
        first_conversation += len(starts)
    raise IndexError(conversation)


def _starts(part: pa.Table) -> pa.Array:
    """Rows at which a conversation begins."""
    return pc.indices_nonzero(pc.equal(part["position"].combine_chunks(), 0))


def _range(starts: pa.Array, number: int, rows: int, offset: int) -> range:
    begin = starts[number].as_py()
    end = starts[number + 1].as_py() if number + 1 < len(starts) else rows
    return range(offset + begin, offset + end)
