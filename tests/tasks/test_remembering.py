"""A scorer behind its memory: every distinct text is scored once, ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from schemas.ids import hash_fields
from schemas.settings import ScoreSettings
from storage.scores import ScoreMemory
from storage.store import Store
from tasks import remembering
from tasks.remembering import RememberingScorer, ScoringMeans, open_remembering


class Counting:
    """Scores a text by its length in thousands, shifted by `bias`; remembers the batches that it was given."""

    labels = ("toxicity",)

    def __init__(self, bias: float = 0.0) -> None:
        self.bias, self.batches = bias, list[list[str]]()

    def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray]:
        self.batches.append(list(texts))
        return {"toxicity": np.array([len(text) / 1_000 + self.bias for text in texts], np.float32)}


def open_with(scorer: Counting, store: Path | None) -> RememberingScorer:
    memory = ScoreMemory(Store(str(store)), "counting", "d", scorer.labels) if store else None
    return RememberingScorer(scorer, frozenset({"en"}), memory)


def ask(scorer: RememberingScorer, *texts: str) -> list[float]:
    scores = scorer.score([hash_fields(text) for text in texts], texts)["toxicity"]
    return [round(float(score), 4) for score in scores]


def test_each_distinct_text_is_scored_once_ever(tmp_path: Path) -> None:
    model = Counting()
    scorer = open_with(model, tmp_path)
    assert ask(scorer, "aaa", "a", "aaa", "aa") == [0.003, 0.001, 0.003, 0.002]
    assert model.batches == [["a", "aa", "aaa"]]
    assert ask(scorer, "aa", "aaaa") == [0.002, 0.004]
    assert model.batches[1:] == [["aaaa"]]
    later = Counting()
    assert ask(open_with(later, tmp_path), "aaaa", "aaa") == [0.004, 0.003]
    assert later.batches == []


def test_the_first_stored_score_counts_for_a_later_scorer(tmp_path: Path) -> None:
    early, late = open_with(Counting(), tmp_path), open_with(Counting(bias=0.5), tmp_path)
    assert ask(early, "aaa") == [0.003]
    assert ask(late, "aaa", "aa") == [0.003, 0.502]
    assert ask(early, "aa") == [0.502]


def test_long_lists_are_kept_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "CHUNK", 2)
    model = Counting()
    assert ask(open_with(model, tmp_path), *["a" * n for n in (5, 1, 4, 2, 3)]) == [
        0.005, 0.001, 0.004, 0.002, 0.003,
    ]  # fmt: skip
    assert [[len(text) for text in batch] for batch in model.batches] == [[1, 2], [3, 4], [5]]
    assert len(list(tmp_path.rglob("*.parquet"))) == 3


def test_a_piece_that_was_kept_outlives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "CHUNK", 2)

    class Failing(Counting):
        def score(self, texts: Sequence[str]) -> Mapping[str, np.ndarray]:
            if len(self.batches) == 1:
                raise MemoryError
            return super().score(texts)

    with pytest.raises(MemoryError):
        ask(open_with(Failing(), tmp_path), "aaa", "aa", "a")
    model = Counting()
    assert ask(open_with(model, tmp_path), "aaa", "aa", "a") == [0.003, 0.002, 0.001]
    assert model.batches == [["aaa"]]


def test_without_a_memory_every_text_is_scored() -> None:
    model = Counting()
    assert ask(open_with(model, None), "a", "a") == [0.001, 0.001]
    assert model.batches == [["a", "a"]]


def settings(scorer: str) -> ScoreSettings:
    return ScoreSettings(languages=("en",), rules={}, scorer=scorer, scorer_digest="d")


def test_no_scorer_is_none(tmp_path: Path) -> None:
    assert open_remembering(settings("none"), ScoringMeans(tmp_path, str(tmp_path))) is None


def test_the_word_model_scores_english_and_keeps_nothing(tmp_path: Path) -> None:
    scorer = open_remembering(
        settings("profanity"), ScoringMeans(tmp_path / "cache", str(tmp_path / "store"))
    )
    assert scorer is not None
    assert scorer.languages == {"en"}
    bad, good = ask(scorer, "you are a fucking idiot", "what a fine morning it is")
    assert 0 <= good < 0.3 < 0.8 < bad <= 1
    assert not (tmp_path / "store").exists()
