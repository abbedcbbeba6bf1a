"""The inbox: exports that were dropped into the home, for the scheduled build."""

from __future__ import annotations

from pathlib import Path

from storage.home import Home


def take_inbox(home: Home) -> list[Path]:
    """What lies in `$VATRA_HOME/inbox/`, sorted by name (hidden files left alone); the folder is made if missing."""
    folder = home.path / "inbox"
    folder.mkdir(exist_ok=True, mode=0o700)
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
