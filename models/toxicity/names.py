"""The toxicity scorers by name: which there are, what they read, which libraries their scores depend on."""

from __future__ import annotations

from typing import get_args

from schemas.errors import SettingsError
from schemas.settings.rules import Scorer as ScorerName

SCORERS: tuple[str, ...] = get_args(ScorerName)
_PREFIX = "detoxify:"
VARIANTS: tuple[str, ...] = tuple(name.removeprefix(_PREFIX) for name in SCORERS if name.startswith(_PREFIX))

_ENGLISH = frozenset({"en"})
#: The languages that the multilingual checkpoint was trained on, by detoxify's own README.
_SEVEN = frozenset({"en", "fr", "es", "it", "pt", "tr", "ru"})


def variant_of(name: str) -> str | None:
    """`detoxify:original` -> `original`; None for a scorer that is not Detoxify. Raises SettingsError."""
    if name not in SCORERS:
        raise SettingsError(f"no toxicity scorer is called {name!r}", fix=f"There are: {', '.join(SCORERS)}.")
    return name.removeprefix(_PREFIX) if name.startswith(_PREFIX) else None


def scorer_languages(name: str) -> frozenset[str]:
    """ISO 639-1 codes of the languages that a scorer can judge; other messages stay unscored."""
    variant = variant_of(name)
    if variant == "multilingual":
        return _SEVEN
    return frozenset() if name == "none" else _ENGLISH


def scorer_libraries(name: str) -> tuple[str, ...]:
    """Names of the distributions whose version changes a scorer's results."""
    if variant_of(name) is not None:
        return ("detoxify", "tokenizers", "torch", "transformers")
    return () if name == "none" else ("alt-profanity-check", "scikit-learn")
