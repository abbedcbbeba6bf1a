"""Deduplication: which examples say the same, and which of them is kept."""

from tasks.dedup.exact import find_exact_duplicates

__all__ = ["find_exact_duplicates"]
