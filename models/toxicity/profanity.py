"""alt-profanity-check: a small linear model, English only, one score; its weights come with its package."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

#: Enough to be quick (one by one it is 300 times slower), few enough to keep the word counts small.
BATCH = 1_000


class ProfanityScorer:
    """`predict_prob` of alt-profanity-check, as the label `toxicity`; it knows no other."""

    name = "profanity"
    labels: tuple[str, ...] = ("toxicity",)

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # The package's models come from another version of scikit-learn, which says so at each load.
            warnings.simplefilter("ignore")
            self._predict = importlib.import_module("profanity_check").predict_prob

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """Probabilities of profanity, float32 in [0, 1], one per text."""
        import numpy as np

        scores = np.empty(len(texts), dtype=np.float32)
        for start in range(0, len(texts), BATCH):
            batch = list(texts[start : start + BATCH])
            scores[start : start + len(batch)] = self._predict(batch)
        return {"toxicity": np.clip(scores, 0.0, 1.0)}
