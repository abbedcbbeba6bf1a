"""The store: first writer wins, whole or not at all, on a folder and on an object store; and its errors."""

from __future__ import annotations

import errno
import os
import pickle
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import StoreError
from schemas.ids import hash_bytes
from storage.datasets import read_table
from storage.store import DAMAGED, STAGING, Store, translated
from tests.schemas.rows import an_id, table


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    folder = str(tmp_path / "store")
    return Store(folder if request.param == "folder" else f"memory://{an_id(folder)}")


def test_the_first_to_put_wins(store: Store) -> None:
    assert store.put_if_absent("a/b/manifest.json", b"first") is True
    assert store.put_if_absent("a/b/manifest.json", b"second") is False
    assert store.read("a/b/manifest.json") == b"first"
    with store.open("a/b/manifest.json") as file:
        file.seek(1)
        assert file.read() == b"irst"


def test_names_are_sorted_and_a_missing_folder_has_none(store: Store) -> None:
    for name in ("b", "a", "c"):
        store.put_if_absent(f"builds/{name}", b"x")
    assert store.names("builds") == ["a", "b", "c"]
    assert store.names("elsewhere") == []
    assert store.exists("builds/a")
    assert not store.exists("builds/d")


def test_what_is_not_there(store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        store.read("nothing")
    store.remove("nothing")
    store.put_if_absent("something", b"x")
    store.remove("something")
    assert not store.exists("something")


def test_a_staged_table_is_published_once(store: Store) -> None:
    data = table("clusters", {"example_id": "a"}, {"example_id": "b"})
    with store.staging() as folder:
        first = store.write_table(folder, "one.parquet", data)
        second = store.write_table(folder, "two.parquet", data)
        assert first.path.startswith(STAGING)
        assert first.digest == second.digest == hash_bytes(store.read(first.path))
        assert (first.rows, first.bytes) == (2, len(store.read(first.path)))
        assert store.publish(first.path, "datasets/one.parquet", first.digest) is True
        assert store.publish(second.path, "datasets/one.parquet", second.digest) is False
        assert not store.exists(first.path)
        assert not store.exists(second.path)
    assert not store.exists(folder)
    published = first.model_copy(update={"path": "datasets/one.parquet"})
    assert store.digest(published.path) == published.digest
    assert (store.size(published.path), store.size("gone")) == (published.bytes, None)
    assert read_table(store, published, "clusters").equals(data)
    assert read_table(store, published, "clusters", ["example_id"]).column_names == ["example_id"]


def test_a_name_that_holds_other_bytes_than_it_says_gets_the_right_ones(store: Store) -> None:
    data = table("clusters", {"example_id": "a"})
    store.put_if_absent("datasets/one.parquet", b"cut short")
    with store.staging() as folder:
        staged = store.write_table(folder, "one.parquet", data)
        assert store.publish(staged.path, "datasets/one.parquet", staged.digest) is True
        assert not store.exists(staged.path)
    published = staged.model_copy(update={"path": "datasets/one.parquet"})
    assert read_table(store, published, "clusters").equals(data)


def test_a_damaged_part_is_moved_aside_and_named(store: Store) -> None:
    with store.staging() as folder:
        staged = store.write_table(folder, "one.parquet", table("clusters", {"example_id": "a"}))
        store.publish(staged.path, "part.parquet", staged.digest)
    file = staged.model_copy(update={"path": "part.parquet"})
    read_table(store, file, "clusters")
    data = bytearray(store.read("part.parquet"))
    data[len(data) // 2] ^= 1  # one bit, the size as it was
    store.remove("part.parquet")
    store.put_if_absent("part.parquet", bytes(data))
    with pytest.raises(StoreError, match="its bytes are not those that were published") as caught:
        read_table(store, file, "clusters")
    assert caught.value.where == "part.parquet"
    assert [store.read(f"{DAMAGED}/{name}") for name in store.names(DAMAGED)] == [bytes(data)]
    with pytest.raises(StoreError, match="a published part is missing"):
        read_table(store, file, "clusters")


def test_staging_goes_when_the_work_fails(store: Store) -> None:
    with pytest.raises(RuntimeError), store.staging() as folder:  # noqa: PT012
        store.write_table(folder, "one.parquet", table("clusters"))
        raise RuntimeError
    assert store.names(STAGING) == []


def test_a_store_is_pickled_by_its_url(store: Store) -> None:
    store.put_if_absent("a", b"x")
    copy = pickle.loads(pickle.dumps(store))
    assert (copy.url, copy.is_local) == (store.url, store.is_local)
    assert copy.read("a") == b"x"


def test_puts_leave_no_temporary_files(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    store.put_if_absent("a", b"x")
    store.put_if_absent("a", b"y")
    assert store.names(STAGING) == []


def test_only_the_staging_of_the_dead_is_swept(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    host, dead = socket.gethostname(), _dead_pid()
    left = {
        f"{host}-{dead}-aaaa": False,
        f"{host}-{os.getpid()}-bbbb": True,
        f"another-host-{dead}-cccc": True,
    }
    for name in left:
        (tmp_path / STAGING / name).mkdir(parents=True)
    store.sweep_staging()
    assert {name: (tmp_path / STAGING / name).exists() for name in left} == left


def _dead_pid() -> int:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return child


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder that this process may look into but not write to, root or not."""
    base = Path(tempfile.mkdtemp())
    folder = base / "store"
    folder.mkdir()
    base.chmod(0o755)
    folder.chmod(0o555)
    root = os.geteuid() == 0
    if root:
        os.seteuid(65_534)
    yield folder
    if root:
        os.seteuid(0)
    folder.chmod(0o755)
    shutil.rmtree(base)


def test_an_unwritable_folder_is_a_clear_error(locked: Path) -> None:
    store = Store(str(locked))
    with pytest.raises(StoreError, match="cannot write to the store: permission denied") as caught:
        store.put_if_absent("builds/one.json", b"{}")
    assert caught.value.fix == "The folder is not writable: choose another with --home."
    with pytest.raises(StoreError, match="permission denied"), store.staging():
        pytest.fail("there is no staging in a folder that cannot be written")


def test_a_file_in_the_way_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file, not a folder")
    with pytest.raises(StoreError, match="cannot write to the store") as caught:
        Store(str(tmp_path / "store")).put_if_absent("builds/one.json", b"{}")
    assert caught.value.fix


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "The disk is full"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "read-only"),
        (errno.EPERM, "not writable"),
        (errno.EIO, "Run the same command again"),
    ],
)
def test_the_systems_refusals_come_with_advice(number: int, advice: str) -> None:
    with pytest.raises(StoreError, match=advice) as caught, translated("write to the store", "a/b"):
        raise OSError(number, "refused")
    assert caught.value.where == "a/b"
    assert os.strerror(number).lower() in str(caught.value)
