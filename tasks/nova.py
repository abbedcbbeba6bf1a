"""NOVA models that stand: found by name, by fingerprint, by folder, or as the newest of the home; checked, told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import UsageError
from schemas.files import expanded
from storage.artifacts import MANIFEST, artifact_folder, verify_artifact, verify_copy
from storage.home import Home
from tasks.finding_trained import find_trained
from tasks.nova_page import nova_view, write_nova_page
from tasks.training_kinds import NOVA

#: Where the model itself lies in an artifact: a folder that the library opens.
MODEL = "model"


@dataclass(frozen=True)
class Nova:
    """A NOVA that stands. `model` is the folder that the library opens, `folder` the artifact's, or the same.

    `fingerprint` and `account` are those of its training; None and {} for a folder from elsewhere.
    """

    home: Home
    name: str
    folder: Path
    model: Path
    fingerprint: str | None
    account: dict[str, Any]

    def check(self) -> None:
        """It is, byte for byte, what was trained, and a NOVA at all. Raises StoreError, UsageError."""
        from models.tribal.opening import check_folder  # transformers takes a moment to import

        if self.fingerprint is not None:
            verify_artifact(self.home.store, NOVA.stage, self.fingerprint)
        check_folder(self.model)
        if self.fingerprint is None:
            verify_copy(self.folder)

    def write_page(self) -> Path:
        """The run's page, written again. Raises UsageError for a model that no training of this home made."""
        if self.fingerprint is None:
            raise UsageError("only what was trained in this home has a page", where=str(self.folder))
        view = nova_view(self.home, self.name, self.fingerprint, self.account, self.folder)
        return write_nova_page(self.home, view)


def find_nova(home: Home, name: str | None = None) -> Nova:
    """A NOVA by its name, 6 or more characters of its fingerprint, or the path of a folder; None: the home's newest.

    It is checked: Raises UsageError (there is none, another architecture), StoreError (torn or altered).
    """
    if name is not None and _is_path(name):
        found = _in_folder(home, expanded(name))
    else:
        known = find_trained(home, NOVA, _newest(home) if name is None else name)
        found = Nova(home, known.name, known.folder, known.folder / MODEL, known.fingerprint, known.account)
    found.check()
    return found


def _is_path(name: str) -> bool:
    """Names have no slash; a folder beside the terminal's place is written ./like-this."""
    return "/" in name or name.startswith(("~", "."))


def _in_folder(home: Home, folder: Path) -> Nova:
    if not folder.is_dir():
        raise UsageError("there is no such folder", where=str(folder))
    inner, whole = folder / MODEL, folder.resolve()
    if inner.is_dir():
        return Nova(home, whole.name, folder, inner, None, {})
    artifact = whole.parent if whole.name == MODEL and (whole.parent / MANIFEST).is_file() else folder
    return Nova(home, whole.name, artifact, folder, None, {})


def _newest(home: Home) -> str:
    """The fingerprint of the NOVA that was published last."""
    marks = [mark for mark in home.store.names(f"artifacts/{NOVA.stage}") if not mark.startswith(".")]
    times = {}
    for mark in marks if home.store.is_local else ():
        manifest = Path(home.store.full(f"{artifact_folder(NOVA.stage, mark)}/manifest.json"))
        if manifest.is_file():
            times[mark] = manifest.stat().st_mtime_ns
    if not times:
        raise UsageError(
            "there is no NOVA in this home yet",
            where=home.store.full(f"artifacts/{NOVA.names}"),
            fix=f"Run `{NOVA.command}` first, or name the folder of one with --model.",
        )
    return max(times, key=lambda mark: (times[mark], mark))
