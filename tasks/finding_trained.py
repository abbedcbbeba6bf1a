"""Finding what a training made, by the name that a person gave it or by its fingerprint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import StoreError, UsageError
from schemas.settings import LoraPreset, TribalPreset
from storage.artifacts import artifact_folder, find_artifact
from storage.home import Home
from storage.names import find_named, list_names
from tasks.lineage import PRESET
from tasks.training_kinds import TrainingKind

Preset = TypeVar("Preset", LoraPreset, TribalPreset)


@dataclass(frozen=True)
class Found:
    """An artifact that stands; `name` is what a person called it, or the part of the fingerprint that was asked for."""

    name: str
    fingerprint: str
    folder: Path
    account: dict[str, Any]


def find_trained(home: Home, kind: TrainingKind, name: str) -> Found:
    """An artifact by its name, or 6 or more characters of its fingerprint. Raises UsageError, StoreError."""
    fingerprint, called = find_named(home.store, kind.names, kind.stage, name, kind.word, kind.command)
    account = find_artifact(home.store, kind.stage, fingerprint)
    folder = Path(home.store.full(artifact_folder(kind.stage, fingerprint)))
    if account is None:
        raise UsageError(
            f"the {kind.word} {called!r} is gone: its run was pruned",
            where=str(folder),
            fix="Train it again with the same command.",
        )
    names = list_names(home.store, kind.names)
    if called not in names:
        called = next((name for name, mark in names.items() if mark == fingerprint), called)
    return Found(called, fingerprint, folder, account)


def read_preset(model: type[Preset], found: Found) -> Preset:
    """The preset that it was trained with. Raises StoreError when this version does not know it any more."""
    try:
        return model.model_validate_json((found.folder / PRESET).read_text("utf-8"))
    except (OSError, ValueError):
        raise StoreError(
            "it was trained by another version of vatra, or its preset is damaged",
            where=str(found.folder / PRESET),
            fix="Train it again.",
        ) from None
