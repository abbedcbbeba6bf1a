"""Shaping: an example as a record of another trainer's, and the card that stands with the shards."""

from tasks.shaping.card import CardFacts, PhaseFacts, write_card
from tasks.shaping.shapes import SHAPES, Shape

__all__ = ["SHAPES", "CardFacts", "PhaseFacts", "Shape", "write_card"]
