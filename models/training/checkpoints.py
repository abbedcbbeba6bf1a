"""Folders that are whole or worth nothing: a seal with every file's digest is written last.

The files inside a checkpoint are the Trainer's own; whatever was cut off, or changed afterwards, is thrown away.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from schemas.ids import canonical_json, hash_bytes

SEAL = "seal.json"


def seal(folder: Path, account: dict[str, Any]) -> None:
    """Declare a folder whole; `account` is kept with it."""
    record = {"files": _digests(folder), "account": account}
    write_whole(folder / SEAL, canonical_json(record))


def read_seal(folder: Path) -> dict[str, Any] | None:
    """The account of a folder that is whole, byte for byte; None for any other."""
    try:
        record = json.loads((folder / SEAL).read_bytes())
        files, account = record["files"], record["account"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return account if isinstance(account, dict) and files == _digests(folder) else None


def newest_checkpoint(folder: Path) -> Path | None:
    """The last whole `checkpoint-<step>`; torn ones are removed on the way."""
    found = {
        step_of(path): path
        for path in folder.glob("checkpoint-*")
        if path.is_dir()
        and path.name.rpartition("-")[2].isdecimal()  # anything else was put there by a person
    }
    for _, path in sorted(found.items(), reverse=True):
        if read_seal(path) is not None:
            return path
        shutil.rmtree(path)
    return None


def step_of(checkpoint: Path) -> int:
    """The step that a `checkpoint-<step>` was written after."""
    return int(checkpoint.name.rpartition("-")[2])


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("wb") as sink:
        sink.write(data)
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.name not in (SEAL, f".{SEAL}.part"))
    return {str(path.relative_to(folder)): hash_bytes(path.read_bytes()) for path in files}
