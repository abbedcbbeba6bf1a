"""Toxicity scorers: names, files, loading, fetching. Importing this loads no model library."""

from models.toxicity.fetch import fetch_detoxify
from models.toxicity.files import scorer_digest
from models.toxicity.names import SCORERS, VARIANTS, scorer_languages, scorer_libraries
from models.toxicity.scorer import NoScorer, Scorer, open_scorer

__all__ = [
    "SCORERS",
    "VARIANTS",
    "NoScorer",
    "Scorer",
    "fetch_detoxify",
    "open_scorer",
    "scorer_digest",
    "scorer_languages",
    "scorer_libraries",
]
