"""A checkpoint is whole, byte for byte, or worth nothing."""

from __future__ import annotations

from pathlib import Path

from models.training.checkpoints import newest_checkpoint, read_seal, seal


def test_a_seal_holds_every_byte(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-4"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/weights").write_bytes(b"weights")
    assert read_seal(folder) is None
    seal(folder, {"step": 4})
    assert read_seal(folder) == {"step": 4}
    (folder / "inner/weights").write_bytes(b"weighty")
    assert read_seal(folder) is None
    (folder / "inner/weights").write_bytes(b"weights")
    assert read_seal(folder) == {"step": 4}
    (folder / "more").write_bytes(b"")
    assert read_seal(folder) is None


def test_the_newest_whole_checkpoint_is_found_among_what_a_person_put_there(tmp_path: Path) -> None:
    for name in ("checkpoint-4", "checkpoint-12", "checkpoint-20", "checkpoint-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "weights").write_bytes(name.encode())
    (tmp_path / "checkpoint-99").write_bytes(b"a file")
    seal(tmp_path / "checkpoint-4", {"step": 4})
    seal(tmp_path / "checkpoint-12", {"step": 12})
    assert newest_checkpoint(tmp_path) == tmp_path / "checkpoint-12"
    kept = {"checkpoint-4", "checkpoint-12", "checkpoint-old", "checkpoint-99"}
    assert {path.name for path in tmp_path.iterdir()} == kept
