"""What nobody foresaw may quote a chat: its text goes to a file of the owner's and nowhere else."""

from __future__ import annotations

import stat
import traceback
from pathlib import Path

import pytest

from schemas.errors import StageFailed, StoreError
from storage.crashes import bugs_kept_private

SECRET = "she said that the key lies under the stone"


def test_the_text_of_a_bug_stays_in_a_file_of_its_owner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(StageFailed, match=r"a bug in vatra \(KeyError\)") as caught, bugs_kept_private():
        raise KeyError(SECRET)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    (file,) = tmp_path.iterdir()
    assert caught.value.where == str(file)
    assert SECRET in file.read_text("utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("error", [StoreError("full"), OSError("gone"), MemoryError(), ZeroDivisionError()])
def test_what_is_foreseen_passes(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, bugs_kept_private(ZeroDivisionError):
        raise error
    assert caught.value is error
