"""Mixing: which examples, in which phase, split and order; and the corpus that a trainer reads."""

from tasks.mixing.corpus import MixInputs, publish_corpus

__all__ = ["MixInputs", "publish_corpus"]
