"""Names of artifacts: what a person calls an adapter or a model. A name is a link to one, and never a copy.

    artifacts/lora/ada -> ../train-lora/<fingerprint>

An artifact is found by its fingerprint and never changes; a name is refused when it belongs to another artifact
already, unless it is to be moved. The links are relative, so that a home can be moved.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from schemas.errors import StoreError, UsageError
from storage.artifacts import artifact_folder
from storage.store import Store, translated

#: What a name may be: it becomes a folder, and a part of commands.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
#: So many names fit into one line of an error.
_TOLD = 20
_FINGERPRINT = re.compile(r"[0-9a-f]{6,32}")


def names_folder(kind: str) -> str:
    """Where the names of a kind of artifact lie (`lora`, `nova`, `merged`)."""
    return f"artifacts/{kind}"


def check_name(name: str) -> None:
    """Raises UsageError for a name that cannot be a folder's on every system."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name[:80]!r} cannot be the name of an adapter or a model",
            where="--name",
            fix="Use up to 80 letters, digits, dots, dashes and underscores, a letter or digit first.",
        )


def check_free(store: Store, kind: str, name: str, stage: str, fingerprint: str, overwrite: bool) -> None:
    """Before any work: whether this artifact may have the name. Raises UsageError."""
    check_name(name)
    place = _place(store, kind, name)
    if not (place.exists() or place.is_symlink()):
        return
    owner = _owner(place)
    if owner is None:
        raise UsageError(
            "what has this name was not made by vatra",
            where=str(place),
            fix="Move it away, or choose another --name.",
        )
    if owner != (stage, fingerprint) and not overwrite:
        raise UsageError(
            f"the name {name!r} belongs to another run ({owner[1][:12]})",
            where=str(place),
            fix="Choose another --name, or move the name with --overwrite: the other run's files stay.",
        )


def give_name(
    store: Store, kind: str, name: str, stage: str, fingerprint: str, overwrite: bool = False
) -> Path:
    """Let the name stand for the artifact; returns the named folder. Raises UsageError, StoreError."""
    check_free(store, kind, name, stage, fingerprint, overwrite)
    place = _place(store, kind, name)
    target = os.path.relpath(store.full(artifact_folder(stage, fingerprint)), place.parent)
    if place.is_symlink() and str(place.readlink()) == target:
        return place
    with translated("name the artifact", str(place)):
        place.parent.mkdir(parents=True, exist_ok=True)
        temporary = place.with_name(f".{name[:60]}.{secrets.token_hex(4)}")
        try:
            temporary.symlink_to(target, target_is_directory=True)
            temporary.replace(place)
        finally:
            with suppress(FileNotFoundError):
                temporary.unlink()
    return place


def list_names(store: Store, kind: str) -> dict[str, str]:
    """The fingerprint that each name stands for, by name."""
    if not store.is_local:
        return {}
    found = {}
    for name in store.names(names_folder(kind)):
        owner = _owner(_place(store, kind, name))
        if owner is not None and not name.startswith("."):
            found[name] = owner[1]
    return found


def find_named(store: Store, kind: str, stage: str, name: str, word: str, made_by: str) -> tuple[str, str]:
    """The fingerprint of an artifact, by its name or 6 or more characters of its fingerprint, and what to call it.

    `word` is what a person calls one of the kind, `made_by` the command that makes one. Raises UsageError when there
    is none, or several.
    """
    if not store.is_local:
        raise StoreError("artifacts are used from a store that is a local folder", where=store.url)
    named = list_names(store, kind)
    if name in named:
        return named[name], name
    stand = [mark for mark in store.names(f"artifacts/{stage}") if not mark.startswith(".")]
    found = [mark for mark in stand if mark.startswith(name)] if _FINGERPRINT.fullmatch(name) else []
    if len(found) == 1:
        return found[0], name
    if found:
        raise UsageError(f"{len(found)} artifacts begin with {name!r}", fix="Give more of the fingerprint.")
    known = ", ".join(sorted(named)[:_TOLD]) or f"none yet: run `{made_by}`"
    if len(named) > _TOLD:
        known += f" and {len(named) - _TOLD} more: they are the folders in the place above"
    raise UsageError(
        f"there is no {word} {name[:80]!r} in this home",
        where=store.full(names_folder(kind)),
        fix=f"There are: {known}.",
    )


def _place(store: Store, kind: str, name: str) -> Path:
    return Path(store.full(f"{names_folder(kind)}/{name}"))


def _owner(place: Path) -> tuple[str, str] | None:
    """Stage and fingerprint of the artifact that a name stands for; None when it is no link of ours."""
    if not place.is_symlink():
        return None
    parts = place.readlink().parts
    return (parts[-2], parts[-1]) if len(parts) >= 2 and _FINGERPRINT.fullmatch(parts[-1]) else None
