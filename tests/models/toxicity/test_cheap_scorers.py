from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.toxicity import open_scorer


def test_none_scores_nothing(tmp_path: Path) -> None:
    scorer = open_scorer("none", tmp_path)
    assert (scorer.name, scorer.labels, scorer.score(["a"])) == ("none", (), {})


def test_profanity_has_one_label_and_leaves_the_others_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    scorer = open_scorer("profanity", tmp_path)
    scores = scorer.score(["you are a fucking idiot", "What a lovely garden.", "", "Bună dimineața 🌳"])
    assert scorer.labels == tuple(scores) == ("toxicity",)
    assert scores["toxicity"].dtype == np.float32
    assert scores["toxicity"][0] > 0.9
    assert scores["toxicity"][1] < 0.1
    assert capfd.readouterr() == ("", "")


def test_profanity_on_no_text_and_on_more_than_a_batch(tmp_path: Path) -> None:
    scorer = open_scorer("profanity", tmp_path)
    assert scorer.score([])["toxicity"].shape == (0,)
    texts = ["hello there", "you stupid bitch"] * 1_001
    scores = scorer.score(texts)["toxicity"]
    assert scores.shape == (2_002,)
    np.testing.assert_array_equal(scores[:2], scores[-2:])
    assert scores[1] > 0.9 > scores[0]
