"""Files that settings name are kept under the digest of their content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from schemas.errors import SettingsError
from storage.keeping import keep_input
from storage.store import Store


def test_a_kept_file_is_named_by_its_content_and_outlives_its_path(tmp_path: Path) -> None:
    store, path = Store(str(tmp_path / "store")), tmp_path / "ids.csv"
    path.write_bytes(b"id,split\n")
    seen: list[bytes] = []
    kept = keep_input(store, "mix.frozen", str(path), "frozen", seen.append)
    path.rename(tmp_path / "elsewhere.csv")
    assert keep_input(store, "mix.frozen", str(tmp_path / "elsewhere.csv"), "frozen", seen.append) == kept
    assert keep_input(store, "mix.frozen", kept, "frozen", seen.append) == kept
    assert seen == [b"id,split\n"] * 2, "one that is kept was checked already"
    assert store.read(kept) == b"id,split\n"
    assert str(tmp_path) not in kept


def test_a_file_that_is_not_there_is_refused_by_its_setting(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot read the file that mix\.frozen names .*nowhere"):
        keep_input(Store(str(tmp_path)), "mix.frozen", str(tmp_path / "nowhere"), "frozen", len)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SettingsError, match=r"cannot read the file that mix\.frozen names .*pipe"):
        keep_input(Store(str(tmp_path)), "mix.frozen", str(tmp_path / "pipe"), "frozen", len)


def test_a_scratch_folder_is_gone_afterwards(tmp_path: Path) -> None:
    for store in (Store(str(tmp_path / "store")), Store("memory://scratch")):
        with store.scratch() as folder:
            (folder / "x").write_bytes(b"1")
        assert not folder.exists()
