"""A toxicity scorer that never scores a text twice: the model behind the store's memory of scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.toxicity import Scorer, open_scorer, scorer_languages
from schemas.settings import ScoreSettings
from storage.execution import advance
from storage.scores import ScoreMemory
from storage.store import Store

#: Texts that are scored before they are kept: some minutes of a large model on two cores.
CHUNK = 2_048


@dataclass(frozen=True)
class ScoringMeans:
    """What scoring needs of this machine, and what never enters a fingerprint."""

    cache: Path
    store_url: str


class RememberingScorer:
    """Asks the memory first, the model for the rest, and keeps what the model said before using it."""

    def __init__(self, scorer: Scorer, languages: frozenset[str], memory: ScoreMemory | None) -> None:
        self._scorer, self._memory = scorer, memory
        self.languages, self.labels = languages, tuple(scorer.labels)

    def score(self, hashes: Sequence[str], texts: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Scores in [0, 1] by label, in the order of `texts`."""
        if self._memory is None:
            return self._scorer.score(texts)
        known, _ = self._memory.recall(hashes)
        missing = {hashes[i]: texts[i] for i in np.flatnonzero(~known).tolist()}
        for some in _chunks(missing):
            self._memory.remember(list(some), self._scorer.score(list(some.values())))
            advance(len(some) / len(missing))
        _, scores = self._memory.recall(hashes)
        return {label: scores[:, column] for column, label in enumerate(self.labels)}


def _chunks(missing: dict[str, str]) -> Iterator[dict[str, str]]:
    """In pieces of similar length, so that batches waste little and a crash costs one piece."""
    by_length = sorted(missing.items(), key=lambda item: (len(item[1]), item[0]))
    for start in range(0, len(by_length), CHUNK):
        yield dict(by_length[start : start + CHUNK])


def open_remembering(settings: ScoreSettings, means: ScoringMeans) -> RememberingScorer | None:
    """The scorer of the settings, once per process. The word model is faster than any memory of it."""
    if settings.scorer == "none":
        return None
    scorer = open_scorer(settings.scorer, means.cache)
    costly = settings.scorer.startswith("detoxify:")
    store = Store(means.store_url)
    memory = ScoreMemory(store, settings.scorer, settings.scorer_digest, scorer.labels) if costly else None
    return RememberingScorer(scorer, scorer_languages(settings.scorer), memory)
