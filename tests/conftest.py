"""Fixtures for all tests: the data shared with the project's builders, where it lies beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real exports and public sets; tests that need them are skipped where they are missing."""
    folder = Path(os.environ.get("VATRA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    if not (folder / "data").is_dir():
        pytest.skip("the shared sample data is not on this machine (VATRA_SHARED)")
    return folder
