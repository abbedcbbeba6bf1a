"""The home: opened to be used, or only looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from storage.home import find_home, open_home


def test_a_home_is_found_without_being_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VATRA_STORE", raising=False)
    with pytest.raises(UsageError, match="no home folder here yet"):
        find_home(tmp_path / "none")
    (tmp_path / "bare").mkdir()
    assert find_home(tmp_path / "bare").path == tmp_path / "bare"
    assert list(tmp_path.rglob("*")) == [tmp_path / "bare"]
    assert open_home(tmp_path / "made").path == find_home(tmp_path / "made").path


def test_a_store_elsewhere_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VATRA_STORE", str(tmp_path))
    assert find_home(tmp_path / "none").store.url == str(tmp_path)
