"""The home: one local folder that holds everything vatra keeps for a person.

`$VATRA_HOME` (default `~/vatra`): `prefect/` (run database), `cache/` (models), `reports/`, `inbox/`, and the store,
unless `$VATRA_STORE` names another place for it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UsageError
from storage.store import Store


@dataclass(frozen=True)
class Home:
    """The folder and where things lie in it."""

    path: Path

    @property
    def prefect(self) -> Path:
        """Prefect's own folder, with the database of runs."""
        return self.path / "prefect"

    @property
    def cache(self) -> Path:
        """Downloaded models."""
        return self.path / "cache"

    @property
    def reports(self) -> Path:
        """One HTML page per build."""
        return self.path / "reports"

    @property
    def logs(self) -> Path:
        """What training runs write down while they go on, a folder for each."""
        return self.path / "logs"

    @property
    def inbox(self) -> Path:
        """Where a person drops exports for the scheduled build."""
        return self.path / "inbox"

    @property
    def taken(self) -> Path:
        """What was taken from the inbox: every scheduled build reads all of it."""
        return self.inbox / "taken"

    @property
    def quarantine(self) -> Path:
        """What lay in the inbox and could not be read, each with its reason in a text file beside it."""
        return self.inbox / "quarantine"

    @property
    def store(self) -> Store:
        """The store: `$VATRA_STORE`, or the home itself."""
        return Store(os.environ.get("VATRA_STORE") or str(self.path))


def default_home() -> Path:
    """`$VATRA_HOME`, or `~/vatra`."""
    return Path(os.environ.get("VATRA_HOME") or "~/vatra")


def find_home(path: Path | None = None) -> Home:
    """A home that stands, to be read: nothing is made and nothing is tried. Raises UsageError when there is none."""
    home = name_home(path)
    if not home.path.is_dir() and not os.environ.get("VATRA_STORE"):
        raise UsageError(
            "there is no home folder here yet",
            where=str(home.path),
            fix="Run `vatra build PATH` first, or name another home with --home.",
        )
    return home


def name_home(path: Path | None = None) -> Home:
    """The home that is meant, whether it stands or not: nothing is made. Raises UsageError when that is not known."""
    try:
        return Home((path or default_home()).expanduser().absolute())
    except RuntimeError:  # no HOME, and nobody of that name
        raise UsageError(
            "your home folder is not known", fix="Name a folder with --home or VATRA_HOME."
        ) from None


def open_home(path: Path | None = None) -> Home:
    """The home, its folders made (readable by its owner only). Raises UsageError when it cannot be written."""
    home = name_home(path)
    if strange := sorted(
        {character for character in str(home.path) if character in "?#%" or character < " "}
    ):
        raise UsageError(
            f"the home's path holds {strange[0]!r}, which the run database's address cannot",
            where=str(home.path),
            fix="Choose another with --home or VATRA_HOME.",
        )
    _check_store(home.store)
    for folder in (home.path, home.prefect, home.cache, home.reports, home.taken, home.quarantine):
        _make_writable(folder)
    return home


def _make_writable(folder: Path, what: str = "home", choice: str = "--home or VATRA_HOME") -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "not usable"
        raise UsageError(
            f"the {what} folder cannot be used: {reason.lower()}",
            where=str(folder),
            fix=f"Choose another with {choice}.",
        ) from None


def _check_store(store: Store) -> None:
    """Raises UsageError for a store that cannot be opened, or that nobody could read afterwards."""
    if not store.url.isprintable():
        raise UsageError("the store's address holds characters that cannot be shown", where="VATRA_STORE")
    if store.is_in_memory:
        raise UsageError(
            "a store in memory is gone when the command ends",
            where=store.url,
            fix="VATRA_STORE is a folder or a URL such as s3://bucket/folder.",
        )
    if store.is_local and "VATRA_STORE" in os.environ:
        _make_writable(Path(store.full("")), "store's", "VATRA_STORE")
