"""Made-up examples for the tests of dedup: real stage function, texts of many words, edits in known measure."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from schemas.ids import hash_fields
from schemas.parts import Part
from schemas.settings import DedupSettings
from schemas.tables import CLUSTERS, CONTAMINATED
from tasks.assembly.folding import fold
from tasks.dedup import find_duplicates
from tests.schemas.rows import MemoryDataset, table

SYLLABLES = "ta ri mo lu ne ka so vi de pa gu ro".split()  # noqa: SIM905


def prose(seed: object, words: int = 80) -> list[str]:
    """Words that no other seed's text shares runs of."""
    rng = random.Random(str(seed))
    return ["".join(rng.choices(SYLLABLES, k=rng.randint(2, 4))) for _ in range(words)]


def edited(words: Sequence[str], count: int, seed: object = 0) -> list[str]:
    """The text with so many of its words replaced."""
    rng = random.Random(f"edit {seed}")
    changed = list(words)
    for place in rng.sample(range(len(words)), count):
        changed[place] = f"new{seed}{place}"
    return changed


def example(name: str, *contents: str, **columns: Any) -> dict[str, Any]:
    """A row of `examples` whose contents are said by user and assistant in turn."""
    lines = [
        {"role": ("user", "assistant")[n % 2], "content": content, "trainable": n % 2 == 1}
        for n, content in enumerate(contents)
    ]
    roles = [field for line in lines for field in (line["role"], fold(line["content"]))]
    return {
        "example_id": name,
        "source": "claude",
        "messages": lines,
        "text_hash": hash_fields(*roles),
        "text_bytes": sum(len(content.encode()) for content in contents),
        **columns,
    }


def spoken(name: str, words: Sequence[str], **columns: Any) -> dict[str, Any]:
    """An example of one question (the first five words) and one reply."""
    return example(name, " ".join(words[:5]), " ".join(words[5:]), **columns)


def deduplicated(rows: Sequence[dict[str, Any]], parts: int = 1, **settings: Any) -> Part:
    """What the stage makes of these examples."""
    data = [table("examples", *rows[n::parts]) for n in range(parts)]
    (part,) = find_duplicates({"examples": MemoryDataset(data)}, DedupSettings(**settings))
    assert part.tables["clusters"].schema.equals(CLUSTERS)
    assert part.tables["contaminated"].schema.equals(CONTAMINATED)
    return part


def keepers(part: Part) -> dict[str, str]:
    """Per example with a twin its keeper."""
    return {row["example_id"]: row["keeper_id"] for row in part.tables["clusters"].to_pylist()}


def row_of(part: Part, name: str) -> dict[str, Any]:
    """The row of one example in `clusters`."""
    (found,) = (row for row in part.tables["clusters"].to_pylist() if row["example_id"] == name)
    return dict(found)
