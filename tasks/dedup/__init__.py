"""Deduplication: which examples say the same, and which of them is kept."""

from tasks.dedup.duplicates import find_duplicates

__all__ = ["find_duplicates"]
