from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import UsageError
from storage.names import find_named, give_name, list_names
from storage.store import Store

ONE, OTHER = "1" * 32, "12" * 16
#: What an adapter is called, and how the first one is made.
WORDS = ("adapter", "vatra train lora --preset demo")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    for mark in (ONE, OTHER):
        (tmp_path / "home/artifacts/train-lora" / mark).mkdir(parents=True)
        (tmp_path / "home/artifacts/train-lora" / mark / "train.json").write_text(mark)
    return Store(str(tmp_path / "home"))


def test_a_name_stands_for_an_artifact_wherever_the_home_is(store: Store, tmp_path: Path) -> None:
    place = give_name(store, "lora", "ada", "train-lora", ONE)
    assert (place / "train.json").read_text() == ONE
    (tmp_path / "home").rename(tmp_path / "moved")
    moved = Store(str(tmp_path / "moved"))
    assert (tmp_path / "moved/artifacts/lora/ada/train.json").read_text() == ONE
    assert list_names(moved, "lora") == {"ada": ONE}
    assert find_named(moved, "lora", "train-lora", "ada", *WORDS) == (ONE, "ada")
    assert find_named(moved, "lora", "train-lora", OTHER[:6], *WORDS) == (OTHER, OTHER[:6])


def test_a_name_is_not_taken_from_another_run(store: Store) -> None:
    give_name(store, "lora", "ada", "train-lora", ONE)
    give_name(store, "lora", "ada", "train-lora", ONE)  # again: the same
    with pytest.raises(UsageError, match=r"belongs to another run.*--overwrite"):
        give_name(store, "lora", "ada", "train-lora", OTHER)
    assert list_names(store, "lora") == {"ada": ONE}
    give_name(store, "lora", "ada", "train-lora", OTHER, overwrite=True)
    assert list_names(store, "lora") == {"ada": OTHER}
    assert (Path(store.full("artifacts/train-lora")) / ONE / "train.json").exists()


def test_what_is_not_ours_is_left_alone(store: Store) -> None:
    folder = Path(store.full("artifacts/lora/mine"))
    folder.mkdir(parents=True)
    (folder / "note").write_text("keep")
    (folder.parent / "link").symlink_to("/elsewhere")
    for name in ("mine", "link"):
        with pytest.raises(UsageError, match="not made by vatra"):
            give_name(store, "lora", name, "train-lora", ONE, overwrite=True)
    assert (folder / "note").read_text() == "keep"
    assert list_names(store, "lora") == {}


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a b", "é", "x" * 81, "a\nb"])
def test_names_that_are_no_folders(store: Store, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        give_name(store, "lora", name, "train-lora", ONE)


def test_no_such_adapter_and_too_little_of_a_fingerprint(store: Store) -> None:
    give_name(store, "lora", "ada", "train-lora", ONE)
    with pytest.raises(UsageError, match=r"no adapter 'drew'.*There are: ada"):
        find_named(store, "lora", "train-lora", "drew", *WORDS)
    for number in range(25):
        give_name(store, "lora", f"b{number}", "train-lora", ONE)
    with pytest.raises(UsageError, match=r"There are: ada, b0, .*, b\d+ and 6 more"):
        find_named(store, "lora", "train-lora", "drew", *WORDS)
    with pytest.raises(UsageError, match="no adapter"):
        find_named(store, "lora", "train-lora", "../../etc", *WORDS)
    twin = "1" * 31 + "2"
    Path(store.full(f"artifacts/train-lora/{twin}")).mkdir()
    with pytest.raises(UsageError, match="2 artifacts begin"):
        find_named(store, "lora", "train-lora", "111111", *WORDS)
