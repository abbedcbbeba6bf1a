"""The working folder of a run: it belongs to this run and to no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from models.training.checkpoints import write_whole
from schemas.errors import StoreError
from schemas.ids import hash_fields

_IDENTITY = "run.txt"


def claim_folder(
    work: Path, preset: str, corpus: Mapping[str, Sequence[Path]], libraries: Sequence[str]
) -> None:
    """Make the folder, and write down whose it is: preset, names of shards, versions of libraries.

    Raises StoreError when it is another run's.
    """
    work.mkdir(parents=True, exist_ok=True)
    shards = [f"{split}/{path.name}" for split, paths in sorted(corpus.items()) for path in paths]
    identity = hash_fields(preset, *shards, *(version(name) for name in libraries))
    path = work / _IDENTITY
    if path.exists() and path.read_text("ascii") != identity:
        raise StoreError(
            "the working folder belongs to another run",
            where=str(work),
            fix="Delete it, or name another one.",
        )
    write_whole(path, identity.encode("ascii"))
