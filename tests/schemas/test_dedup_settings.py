"""Impossible combinations of dedup settings are refused with the reason."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.errors import SettingsError
from schemas.settings import load_build_settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["dedup.bands=7"], "bands must divide permutations"),
        (["dedup.exact=false"], "near copies cannot be sought while exact ones stay"),
        (["dedup.bands=2"], "2 bands of 40 hashes would find only 0% of copies at the threshold"),
        (["dedup.threshold=0.1"], "greater than or equal to 0.3"),
        (["dedup.priority=[a, a]"], "priority names a source twice"),
        (["dedup.shingle_words=0"], "greater than or equal to 1"),
        (["dedup.near_threshold=0.7"], "unknown setting dedup.near_threshold"),
    ],
)
def test_what_cannot_work_is_refused(changes: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_build_settings(overrides=changes)


@pytest.mark.parametrize(
    "changes",
    [
        ["dedup.near=false", "dedup.exact=false"],
        ["dedup.near=false", "dedup.bands=1"],
        ["dedup.permutations=128", "dedup.bands=32", "dedup.threshold=0.5"],
    ],
)
def test_what_can_work_is_taken(changes: Any) -> None:
    assert load_build_settings(overrides=changes).dedup
