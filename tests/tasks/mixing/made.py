"""Small corpora to mix: examples by source and category, twins, and what a mix makes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.parts import Part
from schemas.settings import MixSettings
from tasks.mixing import MixInputs, publish_corpus
from tasks.mixing.candidates import Candidates, Counter, read_candidates
from tasks.mixing.contract import Contract
from tasks.mixing.ids import write_ids
from tasks.mixing.selection import REASONS, choose
from tasks.mixing.splits import Splits, assign_splits, tie_groups
from tests.schemas.rows import MemoryDataset, an_id, table

NO_SPLITS: dict[str, Any] = {"validation": 0.0, "test": 0.0}


def example(number: int, source: str = "claude", category: str | None = None, **more: Any) -> dict[str, Any]:
    """An example of a conversation of its own; `size` is that of its answer in bytes."""
    size = more.pop("size", 20)
    question, answer = f"Întrebarea {source} {number}?", "ă" * (size // 2)
    messages = [
        {"role": role, "author": None, "intensity": None, "content": text, "trainable": role == "assistant"}
        for role, text in (("user", question), ("assistant", answer))
    ]
    return {
        "example_id": an_id("e", source, number, category or ""),
        "conversation_id": an_id("c", source, number, category or ""),
        "source": source,
        "category": category,
        "messages": messages,
        "trainable": 1,
        "chars": len(question) + len(answer),
        "text_bytes": len((question + answer).encode()),
        "language": "ro",
        **more,
    }


def pool(sizes: Mapping[tuple[str, str | None], int], start: int = 0) -> list[dict[str, Any]]:
    """So many examples of each source and category."""
    return [
        example(number, source, category)
        for (source, category), size in sizes.items()
        for number in range(start, start + size)
    ]


def datasets(
    rows: Sequence[dict[str, Any]], parts: int = 1, twins: Sequence[Mapping[str, Any]] = (), **more: pa.Table
) -> dict[str, Any]:
    """The tables that mix reads; `more` may be labels or contaminated."""
    size = max(1, -(-len(rows) // parts))
    found = [table("examples", *rows[n : n + size]) for n in range(0, len(rows), size)]
    made = {"examples": found or [table("examples")], "clusters": [table("clusters", *twins)]}
    return {
        name: MemoryDataset(tables) for name, tables in {**made, **{n: [t] for n, t in more.items()}}.items()
    }


@contextmanager
def scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def mix(
    rows: Sequence[dict[str, Any]],
    settings: MixSettings,
    parts: int = 1,
    twins: Sequence[Mapping[str, Any]] = (),
    frozen: Mapping[str, str] | None = None,
    counter: Counter | None = None,
    **more: pa.Table,
) -> list[Part]:
    inputs = MixInputs(datasets(rows, parts, twins, **more), frozen_table(frozen), scratch)
    return list(publish_corpus(inputs, settings, counter))


def frozen_table(frozen: Mapping[str, str] | None) -> pa.Table | None:
    if frozen is None:
        return None
    return pa.table({"id": list(frozen), "split": list(frozen.values())})


def tally_of(parts: Sequence[Part]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in parts:
        for key, count in part.tally.items():
            total[key] = total.get(key, 0) + count
        for name, data in part.tables.items():
            total[f"rows:{name}"] = total.get(f"rows:{name}", 0) + data.num_rows
    return total


def table_of(parts: Sequence[Part], name: str) -> pa.Table:
    return pa.concat_tables([part.tables[name] for part in parts if name in part.tables])


class Chosen:
    """What `choose` makes of some rows: per example id its split, how often it is taken, or why it is not."""

    def __init__(
        self,
        rows: Sequence[dict[str, Any]],
        settings: MixSettings,
        twins: Sequence[Mapping[str, Any]] = (),
        frozen: Mapping[str, str] | None = None,
        tokens: np.ndarray | None = None,
    ) -> None:
        made = datasets(rows, twins=twins)
        self.candidates: Candidates = read_candidates(made)
        groups = tie_groups(self.candidates, made["clusters"])
        self.splits: Splits = assign_splits(self.candidates, groups, settings, frozen_table(frozen))
        choice = choose(self.candidates, self.splits, tokens, settings)
        self.contract: Contract = choice.contract
        ids = write_ids(self.candidates.ids).to_pylist()
        names = ("train", "validation", "test")
        self.split = {i: names[s] for i, s in zip(ids, self.splits.split, strict=True)}
        self.copies = {i: int(c) for i, c in zip(ids, choice.copies, strict=True) if c}
        self.reasons = {
            i: REASONS[r]
            for i, r, left in zip(ids, choice.reason, self.candidates.left, strict=True)
            if left and i not in self.copies
        }
        self._rows = {row["example_id"]: row for row in rows}

    def count(self, key: str, split: str | None = None) -> dict[str | None, int]:
        """Rows taken by `source` or `category`, in one split or in all."""
        found: dict[str | None, int] = {}
        for name, copies in self.copies.items():
            if split in (None, self.split[name]):
                value = self._rows[name][key]
                found[value] = found.get(value, 0) + copies
        return found
