"""Artifacts: folders of files that training makes, published like datasets: files first, the manifest last."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.errors import StoreError
from schemas.ids import DIGEST_BYTES, canonical_json
from storage.store import Store, translated

MANIFEST = "manifest.json"
#: Where makers keep what a killed run can go on from.
WORKING = ".working"


def artifact_folder(stage: str, fingerprint: str) -> str:
    """Where an artifact lies in the store."""
    return f"artifacts/{stage}/{fingerprint}"


def find_artifact(store: Store, stage: str, fingerprint: str) -> dict[str, Any] | None:
    """The artifact's own account (what its maker returned), if it stands. Raises StoreError when it is damaged."""
    folder = artifact_folder(stage, fingerprint)
    path, again = f"{folder}/{MANIFEST}", f"Delete {folder} and run again."
    try:
        manifest = json.loads(store.read(path))
        account: dict[str, Any] = manifest["account"]
        digests: dict[str, str] = manifest["files"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise StoreError("an artifact's manifest is damaged", where=path, fix=again) from None
    if missing := [name for name in digests if not store.exists(f"{folder}/{name}")]:
        raise StoreError("an artifact has lost a file", where=f"{folder}/{missing[0]}", fix=again)
    return account


def verify_artifact(store: Store, stage: str, fingerprint: str) -> None:
    """Compare every file of an artifact that stands with its manifest. Raises StoreError for one that was changed."""
    folder = artifact_folder(stage, fingerprint)
    digests: dict[str, str] = json.loads(store.read(f"{folder}/{MANIFEST}"))["files"]
    again = f"Put it back as it was, or delete {folder} and run again."
    _refuse_changed(folder, digests, store.digest, again)


def verify_copy(folder: Path) -> None:
    """The same for a folder that a person named, wherever it lies; one that is no artifact's says nothing of itself.

    Raises StoreError.
    """
    path, whole = folder / MANIFEST, "take the folder from a copy that is whole."
    if not path.is_file():
        return
    try:
        with translated("read the artifact", str(path)):
            told = json.loads(path.read_bytes())
    except ValueError:
        raise StoreError(
            "an artifact's manifest is damaged", where=str(path), fix=f"Delete it, or {whole}"
        ) from None
    if isinstance(told, dict) and told.keys() == {"stage", "fingerprint", "files", "account"}:
        _refuse_changed(str(folder), told["files"], _digest, f"Put it back as it was, or {whole}")


def _refuse_changed(
    folder: str, digests: Mapping[str, str], digest_of: Callable[[str], str], fix: str
) -> None:
    for name, digest in digests.items():
        if digest_of(f"{folder}/{name}") != digest:
            raise StoreError(
                "a file of an artifact was changed since it was made", where=f"{folder}/{name}", fix=fix
            )


def _digest(path: str) -> str:
    with translated("read the artifact", path), Path(path).open("rb") as source:
        return hashlib.file_digest(source, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()


def make_artifact(
    store: Store, stage: str, fingerprint: str, make: Callable[[Path], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """The artifact's account, and whether it stood already. `make` fills an empty folder and returns the account.

    Raises StoreError on a store that is not a local folder: training writes files.
    """
    standing = find_artifact(store, stage, fingerprint)
    if standing is not None:
        return standing, True
    _must_be_local(store)
    store.sweep_staging()
    folder = artifact_folder(stage, fingerprint)
    with store.staging() as staging:
        root = Path(store.full(staging))
        account = make(root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        names = [str(path.relative_to(root)) for path in files]
        digests = {name: store.digest(f"{staging}/{name}") for name in names}
        for name, digest in digests.items():
            store.publish(f"{staging}/{name}", f"{folder}/{name}", digest)
        manifest = {"stage": stage, "fingerprint": fingerprint, "files": digests, "account": account}
        store.put_if_absent(f"{folder}/{MANIFEST}", canonical_json(manifest))
    standing = find_artifact(store, stage, fingerprint)
    assert standing is not None
    return standing, False


@contextmanager
def working_folder(store: Store, stage: str, fingerprint: str) -> Iterator[Path]:
    """A folder in which a maker keeps what a later try can go on from; nobody else may use it meanwhile.

    It outlives a crash and a failure, and is removed once the artifact stands. Raises StoreError when another process
    makes the same artifact at this moment, or when the store is no local folder.
    """
    _must_be_local(store)
    folder = Path(store.full(f"{WORKING}/{stage}-{fingerprint}"))
    with translated("write to the store", str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder.with_suffix(".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                "the same training runs already, in another process",
                where=str(folder),
                fix="Wait until it is done, or stop it; then run the same command again.",
            ) from None
        yield folder
        if find_artifact(store, stage, fingerprint) is not None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.with_suffix(".lock").unlink(missing_ok=True)
    finally:
        os.close(lock)


def _must_be_local(store: Store) -> None:
    if not store.is_local:
        raise StoreError(
            "training needs a store that is a local folder", where=store.url, fix="Unset VATRA_STORE."
        )
