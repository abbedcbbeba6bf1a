"""A phase that was killed when its last step was done and saved, but not yet handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from models.tribal import curriculum, train_tribal
from schemas.settings.tribal import TribalPreset
from tests.models.tribal.training.conftest import Corpus, Watched


def test_a_phase_killed_after_its_last_checkpoint_makes_no_step_more(
    preset: TribalPreset, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last step lies within an epoch, which the Trainer by itself would go on with."""
    few = TribalPreset.model_validate({**preset.model_dump(), "max_steps": 4, "dropout": 0.2})
    straight = train_tribal(few, corpus, tmp_path / "straight")

    def killed(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(curriculum, "_finish", killed)
        with pytest.raises(KeyboardInterrupt):
            train_tribal(few, corpus, tmp_path / "out", work=tmp_path / "work")
    assert (tmp_path / "work/phase-1/checkpoint-4").is_dir()
    watched = Watched()
    again = train_tribal(few, corpus, tmp_path / "out", work=tmp_path / "work", watcher=watched)
    assert watched.steps == []
    assert again == straight
    weights = "model/model.safetensors"
    assert (tmp_path / "out" / weights).read_bytes() == (tmp_path / "straight" / weights).read_bytes()
