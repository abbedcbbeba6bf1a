"""Artifacts: folders of files that training makes, published like datasets: files first, the manifest last."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.errors import StoreError
from schemas.ids import canonical_json, hash_bytes
from storage.store import Store


def artifact_folder(stage: str, fingerprint: str) -> str:
    """Where an artifact lies in the store."""
    return f"artifacts/{stage}/{fingerprint}"


def find_artifact(store: Store, stage: str, fingerprint: str) -> dict[str, Any] | None:
    """The artifact's own account (what its maker returned), if it stands. Raises StoreError when it is damaged."""
    folder = artifact_folder(stage, fingerprint)
    path, again = f"{folder}/manifest.json", f"Delete {folder} and run again."
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


def make_artifact(
    store: Store, stage: str, fingerprint: str, make: Callable[[Path], dict[str, Any]]
) -> tuple[dict[str, Any], bool]:
    """The artifact's account, and whether it stood already. `make` fills an empty folder and returns the account.

    Raises StoreError on a store that is not a local folder: training writes files.
    """
    standing = find_artifact(store, stage, fingerprint)
    if standing is not None:
        return standing, True
    if not store.is_local:
        raise StoreError(
            "training needs a store that is a local folder", where=store.url, fix="Unset VATRA_STORE."
        )
    store.sweep_staging()
    folder = artifact_folder(stage, fingerprint)
    with store.staging() as staging:
        root = Path(store.full(staging))
        account = make(root)
        files = sorted(path for path in root.rglob("*") if path.is_file())
        digests = {str(path.relative_to(root)): hash_bytes(path.read_bytes()) for path in files}
        for name, digest in digests.items():
            store.publish(f"{staging}/{name}", f"{folder}/{name}", digest)
        manifest = {"stage": stage, "fingerprint": fingerprint, "files": digests, "account": account}
        store.put_if_absent(f"{folder}/manifest.json", canonical_json(manifest))
    standing = find_artifact(store, stage, fingerprint)
    assert standing is not None
    return standing, False
