"""Mixing: which examples, in which split, in which order; and the corpus that a trainer reads."""

from tasks.mixing.corpus import publish_corpus
from tasks.mixing.selection import choose

__all__ = ["choose", "publish_corpus"]
