"""Opens a toxicity scorer by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from models.toxicity.names import variant_of

if TYPE_CHECKING:
    import numpy as np


class Scorer(Protocol):
    """Gives each text a score per label. Labels that a scorer does not have are absent, never 0."""

    @property
    def name(self) -> str:
        """The name that settings use."""

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels it scores, a subset of `schemas.tables.TOXICITY_LABELS`."""

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """One float32 array per label, as long as `texts`, with values in [0, 1]."""


class NoScorer:
    """Scores nothing: every toxicity column stays null."""

    name = "none"
    labels: tuple[str, ...] = ()

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """No labels, whatever the texts."""
        return {}


def open_scorer(name: str, cache: Path, device: str = "auto") -> Scorer:
    """Load the scorer `name`, ready to use; slow for Detoxify (seconds), so once per process.

    `device`: `auto` (CUDA where there is one, else the CPU), `cpu`, `cuda`, or another name that torch knows.
    Raises SettingsError for an unknown name, MissingModel when files are missing or damaged, UsageError when
    the device is not there.
    """
    variant = variant_of(name)
    if name == "none":
        return NoScorer()
    if variant is None:
        from models.toxicity.profanity import ProfanityScorer

        return ProfanityScorer()
    from models.toxicity.detoxify_scorer import open_detoxify

    return open_detoxify(variant, cache, device)
