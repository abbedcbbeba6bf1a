"""Artifacts: files first, the manifest last; what failed leaves nothing that anybody could read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas.errors import StoreError
from schemas.ids import hash_bytes
from storage.artifacts import (
    artifact_folder,
    find_artifact,
    make_artifact,
    verify_artifact,
    working_folder,
)
from storage.store import STAGING, Store

FOLDER = artifact_folder("train-lora", "f1")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def adapter(weights: bytes = b"weights") -> Any:
    def make(folder: Path) -> dict[str, Any]:
        (folder / "logs").mkdir()
        (folder / "logs/loss.json").write_text("[2.0, 1.5]")
        (folder / "adapter.safetensors").write_bytes(weights)
        return {"loss": [2.0, 1.5]}

    return make


def test_made_once_and_then_found(store: Store, tmp_path: Path) -> None:
    assert find_artifact(store, "train-lora", "f1") is None
    assert make_artifact(store, "train-lora", "f1", adapter()) == ({"loss": [2.0, 1.5]}, False)

    def never(folder: Path) -> dict[str, Any]:
        pytest.fail("an artifact that stands is not made again")

    assert make_artifact(store, "train-lora", "f1", never) == ({"loss": [2.0, 1.5]}, True)
    assert find_artifact(store, "train-lora", "f1") == {"loss": [2.0, 1.5]}
    assert find_artifact(store, "train-lora", "f2") is None
    manifest = json.loads((tmp_path / FOLDER / "manifest.json").read_bytes())
    assert manifest["files"] == {
        "adapter.safetensors": hash_bytes(b"weights"),
        "logs/loss.json": hash_bytes(b"[2.0, 1.5]"),
    }
    assert (tmp_path / FOLDER / "logs/loss.json").read_text() == "[2.0, 1.5]"
    assert list((tmp_path / STAGING).iterdir()) == []


def test_the_manifest_comes_last(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    publish, put = Store.publish, Store.put_if_absent

    def note_publish(self: Store, staged: str, path: str, digest: str) -> bool:
        assert not self.exists(f"{FOLDER}/manifest.json")
        order.append(path)
        return publish(self, staged, path, digest)

    def note_put(self: Store, path: str, data: bytes) -> bool:
        order.append(path)
        return put(self, path, data)

    monkeypatch.setattr(Store, "publish", note_publish)
    monkeypatch.setattr(Store, "put_if_absent", note_put)
    make_artifact(store, "train-lora", "f1", adapter())
    assert order == [
        f"{FOLDER}/{name}" for name in ("adapter.safetensors", "logs/loss.json", "manifest.json")
    ]


def test_a_failing_make_leaves_nothing_readable(store: Store, tmp_path: Path) -> None:
    def failing(folder: Path) -> dict[str, Any]:
        (folder / "adapter.safetensors").write_bytes(b"half")
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        make_artifact(store, "train-lora", "f1", failing)
    assert find_artifact(store, "train-lora", "f1") is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert make_artifact(store, "train-lora", "f1", adapter())[1] is False


def test_what_a_killed_run_left_does_not_mix_with_the_next(store: Store, tmp_path: Path) -> None:
    """Files of a run that died before its manifest stand under the final names, with other bytes."""
    left = tmp_path / FOLDER / "adapter.safetensors"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"older weights")
    assert find_artifact(store, "train-lora", "f1") is None
    make_artifact(store, "train-lora", "f1", adapter())
    manifest = json.loads((tmp_path / FOLDER / "manifest.json").read_bytes())
    for name, digest in manifest["files"].items():
        assert hash_bytes((tmp_path / FOLDER / name).read_bytes()) == digest


def test_a_store_that_is_no_folder_is_refused() -> None:
    with pytest.raises(StoreError, match="training needs a store that is a local folder") as caught:
        make_artifact(Store("memory://artifacts"), "train-lora", "f1", adapter())
    assert caught.value.fix == "Unset VATRA_STORE."


def test_a_working_folder_outlives_a_failure_and_goes_with_the_artifact(store: Store, tmp_path: Path) -> None:
    def killed() -> None:
        with working_folder(store, "train-lora", "f1") as work:
            (work / "checkpoint").write_text("half")
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        killed()
    with working_folder(store, "train-lora", "f2") as other:
        assert list(other.iterdir()) == []
    with working_folder(store, "train-lora", "f1") as work:
        assert (work / "checkpoint").read_text() == "half"
        with (
            pytest.raises(StoreError, match="the same training runs already"),
            working_folder(store, "train-lora", "f1"),
        ):
            pytest.fail("two at once")
        make_artifact(store, "train-lora", "f1", adapter())
    assert not work.exists()
    assert other.exists()
    with (
        pytest.raises(StoreError, match="local folder"),
        working_folder(Store("memory://artifacts"), "train-lora", "f1"),
    ):
        pytest.fail("not on a disk")


def test_a_changed_file_is_noticed(store: Store) -> None:
    make_artifact(store, "train-lora", "f1", adapter())
    verify_artifact(store, "train-lora", "f1")
    Path(store.full(f"{FOLDER}/adapter.safetensors")).write_bytes(b"weighty")
    with pytest.raises(StoreError, match=r"was changed since it was made.*adapter\.safetensors"):
        verify_artifact(store, "train-lora", "f1")
