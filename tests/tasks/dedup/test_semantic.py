"""Semantic copies, with an embedding that is known: which join, who is kept, and that clusters stay stars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import DedupSettings
from tasks.dedup import find_duplicates, semantic
from tests.schemas.rows import MemoryDataset, table
from tests.tasks.dedup.texts import edited, keepers, prose, row_of, spoken


def by_topic(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors at the angle that a text's last word names, in degrees."""
    angle = np.radians([float(text.split()[-1]) if text.split() else 0.0 for text in texts])
    return np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)


def meant(rows: Sequence[dict[str, Any]], parts: int = 1) -> Part:
    data = {"examples": MemoryDataset([table("examples", *rows[n::parts]) for n in range(parts)])}
    (part,) = find_duplicates(data, DedupSettings(semantic_threshold=0.99), by_topic)
    assert draw_ledger("dedup", part.tally, len(rows)).unaccounted == 0
    assert part.tally["unlike_keeper"] == part.tally["keepers_removed"] == part.tally["keeperless"] == 0
    return part


def test_texts_that_mean_the_same_join_and_chains_are_cut() -> None:
    rows = [
        spoken(f"e{n}", [*prose(n), str(angle)], text_bytes=100 - n) for n, angle in enumerate((0, 5, 10, 90))
    ]
    part = meant(rows)
    assert keepers(part) == {"e0": "e0", "e1": "e0"}, "e2 means what e1 means, but not what e0 means"
    found = row_of(part, "e1")
    assert (found["method"], round(found["similarity"], 4)) == (
        "semantic",
        round(float(np.cos(np.radians(5))), 4),
    )
    assert part.tally["set_aside:semantic_duplicate"] == 1


def test_near_copies_of_what_goes_follow_it_where_they_mean_the_same() -> None:
    words = prose("a")
    rows = [
        spoken("best", [*prose("b"), "0"], text_bytes=1000),
        spoken("goes", [*words, "5"], text_bytes=900),
        spoken("follows", [*edited(words, 2), "4"], text_bytes=800),
        spoken("stays", [*edited(words, 2, 1), "40"], text_bytes=700),
    ]
    part = meant(rows, parts=2)
    assert keepers(part) == {"best": "best", "goes": "best", "follows": "best"}
    assert part.tally["keepers"] == 2


def test_blank_texts_mean_nothing() -> None:
    rows = [spoken("a", [], text_hash="a"), spoken("b", [], text_hash="b")]
    assert keepers(meant(rows)) == {}


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """In blocks of three as text by text: each is kept, or goes to the best kept one that means the same."""
    vectors = by_topic([str(angle) for angle in np.random.default_rng(3).integers(0, 90, 40)])
    order = np.random.default_rng(4).permutation(40)
    expected: dict[int, int] = {}
    kept: list[int] = []
    for text in order.tolist():
        alike = [other for other in kept if vectors[text] @ vectors[other] >= 0.995]
        expected[text] = alike[0] if alike else text
        kept += [] if alike else [text]
    monkeypatch.setattr(semantic, "_BLOCK", 3)
    found = semantic.choose_by_meaning(vectors, order, 0.995)
    assert dict(zip(order.tolist(), found.tolist(), strict=True)) == expected
    assert 3 < len(kept) < 30
