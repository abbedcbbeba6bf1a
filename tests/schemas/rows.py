"""Tables from rows that name only the columns that matter; the required others are filled with blanks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from schemas.ids import hash_fields
from schemas.tables import SCHEMAS

_BLANKS: list[tuple[Any, Any]] = [
    (pa.types.is_list, []),
    (pa.types.is_boolean, False),
    (pa.types.is_floating, 0.0),
    (pa.types.is_integer, 0),
    (pa.types.is_string, ""),
]


def table(name: str, *rows: Mapping[str, Any]) -> pa.Table:
    """A table of the house. Raises KeyError on a column that it does not have."""
    schema = SCHEMAS[name]
    for row in rows:
        if unknown := set(row) - set(schema.names):
            raise KeyError(f"{name} has no {unknown}")
    return pa.Table.from_pylist([{f.name: _value(f, row) for f in schema} for row in rows], schema=schema)


def _value(column: pa.Field, row: Mapping[str, Any]) -> Any:
    if column.name in row or column.nullable:
        return row.get(column.name)
    return next(blank for fits, blank in _BLANKS if fits(column.type))


def an_id(*names: str | int) -> str:
    """An id that looks like one."""
    return hash_fields("test", *names)


def conversation_tables(*conversations: Sequence[tuple[str, str]], name: str = "c") -> dict[str, pa.Table]:
    """Aligned `conversations` and `messages` of conversations given as (role, content) pairs."""
    owners, messages = [], []
    for number, lines in enumerate(conversations):
        owner = an_id(name, number)
        owners.append(
            {"conversation_id": owner, "source": "claude", "messages": len(lines), "file_digest": an_id("f")}
        )
        messages += [
            {
                "message_id": an_id(name, number, position),
                "conversation_id": owner,
                "position": position,
                "role": role,
                "content": content,
                "content_hash": an_id(content),
            }
            for position, (role, content) in enumerate(lines)
        ]
    return {"conversations": table("conversations", *owners), "messages": table("messages", *messages)}


@dataclass(frozen=True)
class MemoryDataset:
    """Parts in memory that are read like a dataset of the store."""

    parts: Sequence[pa.Table]

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        for part in self.parts:
            yield part.select(list(columns))

    def part(self, table: str, number: int, columns: Sequence[str]) -> pa.Table:
        return self.parts[number].select(list(dict.fromkeys(name.partition(".")[0] for name in columns)))

    def column(self, table: str, columns: Sequence[str]) -> pa.Table:
        return pa.concat_tables(list(self.scan(table, columns)))
