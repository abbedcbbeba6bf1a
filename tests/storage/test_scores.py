"""The memory of costly scores: what was scored once is known for ever, and the first stored score counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schemas.ids import hash_fields
from storage.scores import ScoreMemory
from storage.store import Store

LABELS = ("toxicity", "insult")
ONE, TWO, THREE = (hash_fields(name) for name in ("one", "two", "three"))


def memory(folder: Path | str, scorer: str = "s", digest: str = "d") -> ScoreMemory:
    return ScoreMemory(Store(str(folder)), scorer, digest, LABELS)


def scores(*values: float) -> dict[str, np.ndarray]:
    column = np.array(values, np.float32)
    return {"toxicity": column, "insult": column / 2}


def recalled(of: ScoreMemory, *hashes: str) -> list[float | None]:
    known, rows = of.recall(hashes)
    assert rows.shape == (len(hashes), 2)
    assert np.allclose(rows[known, 1], rows[known, 0] / 2)
    return [round(float(row[0]), 4) if k else None for k, row in zip(known, rows, strict=True)]


def test_what_was_remembered_is_recalled_in_the_order_asked(tmp_path: Path) -> None:
    one = memory(tmp_path)
    assert recalled(one, ONE, TWO) == [None, None]
    one.remember([TWO, ONE], scores(0.2, 0.1))
    assert recalled(one, ONE, THREE, TWO, ONE) == [0.1, None, 0.2, 0.1]
    one.remember([THREE], scores(0.3))
    assert recalled(one, THREE, TWO, ONE) == [0.3, 0.2, 0.1]


def test_scores_outlive_the_process(tmp_path: Path) -> None:
    memory(tmp_path).remember([ONE, TWO], scores(0.1, 0.2))
    memory(tmp_path).remember([THREE], scores(0.3))
    assert recalled(memory(tmp_path), ONE, TWO, THREE) == [0.1, 0.2, 0.3]


@pytest.mark.parametrize("late", [0.0, 0.2, 0.5, 0.9])
def test_the_first_stored_score_wins_between_two_memories(tmp_path: Path, late: float) -> None:
    """Both were opened before either wrote; whatever the bytes, the first one's score counts for everybody."""
    first, second = memory(tmp_path), memory(tmp_path)
    first.remember([ONE], scores(0.1))
    second.remember([ONE, TWO], scores(late, 0.25))
    assert recalled(second, ONE, TWO) == [0.1, 0.25]
    assert recalled(memory(tmp_path), ONE, TWO) == [0.1, 0.25]
    first.remember([TWO, THREE], scores(0.7, 0.35))
    assert recalled(first, ONE, TWO, THREE) == [0.1, 0.25, 0.35]
    assert recalled(memory(tmp_path), ONE, TWO, THREE) == [0.1, 0.25, 0.35]


def test_scores_of_known_texts_are_not_written_again(tmp_path: Path) -> None:
    one = memory(tmp_path)
    one.remember([ONE], scores(0.1))
    before = sorted(tmp_path.rglob("*.parquet"))
    one.remember([ONE], scores(0.9))
    memory(tmp_path).remember([ONE], scores(0.9))
    one.remember([], scores())
    assert sorted(tmp_path.rglob("*.parquet")) == before
    assert recalled(one, ONE) == [0.1]


def test_another_scorer_or_other_weights_remember_apart(tmp_path: Path) -> None:
    memory(tmp_path).remember([ONE], scores(0.1))
    assert recalled(memory(tmp_path, scorer="other"), ONE) == [None]
    assert recalled(memory(tmp_path, digest="other"), ONE) == [None]


def test_many_texts_in_an_object_store() -> None:
    url = f"memory://scores-{hash_fields('many')}"
    hashes = [hash_fields(n) for n in range(500)]
    one = memory(url)
    for start in range(0, 500, 100):
        part = hashes[start : start + 100]
        one.remember(part, scores(*[n / 1_000 for n in range(start, start + 100)]))
    assert recalled(memory(url), *reversed(hashes)) == [round(n / 1_000, 4) for n in reversed(range(500))]
