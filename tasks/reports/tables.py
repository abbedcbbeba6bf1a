"""How the reports read a build: table by table, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import pyarrow as pa

from schemas.errors import StoreError


class Tables(Protocol):
    """The tables of one build. A table that its build did not reach is simply not there."""

    def has(self, table: str) -> bool:
        """Whether the build has this table (it may still hold no rows)."""
        ...

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The parts of a table, in order, with these columns; aligned tables have equal parts."""
        ...


def scan_present(tables: Tables, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
    """The parts of a table, or none when the build did not reach it."""
    return tables.scan(table, columns) if tables.has(table) else iter(())


def scan_together(tables: Tables, wanted: dict[str, Sequence[str]]) -> Iterator[dict[str, pa.Table]]:
    """Walk tables with the same part boundaries side by side; absent ones are left out of each step.

    Raises StoreError when their parts cannot be laid side by side.
    """
    present = [name for name in wanted if tables.has(name)]
    scans = [tables.scan(name, wanted[name]) for name in present]
    while scans:
        parts = [next(scan, None) for scan in scans]
        missing = [name for name, part in zip(present, parts, strict=True) if part is None]
        if len(missing) == len(present):
            return
        if missing:
            raise StoreError(f"table {missing[0]} has fewer parts than {present[0]}", fix="Build again.")
        yield dict(zip(present, parts, strict=True))


def check_aligned(parts: dict[str, pa.Table], tables: Sequence[str]) -> None:
    """Raise StoreError unless these parts, where present, have as many rows as one another."""
    rows = {name: parts[name].num_rows for name in tables if name in parts}
    if len(set(rows.values())) > 1:
        counts = ", ".join(f"{name} {count}" for name, count in rows.items())
        raise StoreError(f"tables that must be aligned differ in rows: {counts}", fix="Build again.")
