"""Data sets of the Hugging Face hub: fetched by commit into the home, and found there without a network."""

from models.hub.cached import Fetched, find_fetched
from models.hub.fetch import fetch_dataset

__all__ = ["Fetched", "fetch_dataset", "find_fetched"]
