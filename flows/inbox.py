"""The inbox: what a person drops into `$VATRA_HOME/inbox/` is taken by the scheduled build, once.

What holds chats is moved to `inbox/taken/`, from which every scheduled build reads; what does not is moved to
`inbox/quarantine/`, with its reason in a text file beside it. Moves come before the build, so that a build that was
killed is simply run again: nothing is taken twice and nothing is forgotten.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import StoreError, UsageError, VatraError
from schemas.manifest import SourceFile
from storage.catalog import latest_build
from storage.home import Home
from storage.store import translated
from tasks.parsers import discover

#: A file that was written to within so many seconds is still arriving.
SETTLED_AFTER = 10.0
#: Names under which programs keep what they have not finished.
_UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".tmp")
_REASON = ".reason.txt"
_NAMED = 8
_LONGEST_NAME, _LONGEST_SUFFIX = 230, 20  # bytes


@dataclass(frozen=True)
class Inbox:
    """What lay in the inbox: names that were taken, that went to quarantine (with the reason), that still arrive."""

    taken: tuple[str, ...] = ()
    quarantined: tuple[tuple[str, str], ...] = ()
    arriving: tuple[str, ...] = ()


def take_inbox(home: Home, now: float | None = None) -> Inbox:
    """Sort what lies in the inbox. `now` is in seconds since 1970. Raises StoreError when files cannot be moved."""
    now = time.time() if now is None else now
    taken, quarantined, arriving = [], [], []
    with translated("sort the inbox", str(home.inbox)), _alone(home.inbox):
        for path in sorted(home.inbox.iterdir()):
            if path in (home.taken, home.quarantine) or path.name.startswith("."):
                continue
            if path.suffix.lower() in _UNFINISHED or _is_arriving(path, now):
                arriving.append(_told(path.name))
            elif reason := _unreadable(path, home.taken):
                _set_aside(path, home.quarantine, reason)
                quarantined.append((_told(path.name), reason))
            else:
                path.rename(_free_name(home.taken / path.name))
                taken.append(_told(path.name))
    return Inbox(tuple(taken), tuple(quarantined), tuple(arriving))


def taken_exports(home: Home) -> list[Path]:
    """The folder of everything that was ever taken, if there is anything: what is damaged in it costs only itself."""
    return [home.taken] if any(home.taken.iterdir()) else []


def in_quarantine(home: Home) -> list[tuple[str, str]]:
    """What lies in quarantine, with its reason, until a person has dealt with it."""
    found = []
    for path in sorted(home.quarantine.iterdir()):
        reason = path.with_name(path.name + _REASON)
        if not path.name.endswith(_REASON) and reason.is_file():
            found.append((_told(path.name), reason.read_text("utf-8", "replace").strip()))
    return found


def inbox_notes(home: Home, found: Inbox, files: Sequence[SourceFile]) -> tuple[str, ...]:
    """What the report of a scheduled build says: what came since the last complete one, what waits, what was refused.

    Told from what lies there, not from this run alone: one that was killed must not swallow the news.
    """
    try:
        before = {file.digest for file in latest_build(home.store, "mix").inputs}
    except UsageError:
        before = set()
    came = [file.label for file in files if file.digest not in before]
    notes = [f"Came since the last complete build: {_few(came)}." if came else "Nothing new came."]
    if found.arriving:
        notes.append(f"Still arriving in the inbox: {_few(found.arriving)}.")
    notes += [f"In quarantine: {name} ({reason})" for name, reason in in_quarantine(home)]
    return tuple(notes)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Two builds at once do not sort one inbox: the second waits, and finds it sorted."""
    with (folder / ".lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_arriving(path: Path, now: float) -> bool:
    changed = [path.lstat().st_mtime]
    for parent, _, names in os.walk(path):
        changed += [(Path(parent) / name).lstat().st_mtime for name in names]
    return any(0 <= now - when < SETTLED_AFTER for when in changed)


def _unreadable(path: Path, taken: Path) -> str | None:
    """Why there is nothing to take in `path`, or None."""
    if path.is_symlink():
        return "a link: put the file itself into the inbox"
    try:
        found = discover([path])
    except VatraError as error:
        return error.what if error.fix is None else f"{error.what}. {error.fix}"
    if not found.files:
        return "it holds no conversation"
    if twin := _twin(path, taken):
        return f"the same file was taken before, as {twin}: there is nothing new in it"
    return None


def _twin(path: Path, taken: Path) -> str | None:
    """The name of a file that was taken already and has the same bytes."""
    if not path.is_file():
        return None
    for other in taken.iterdir():
        if other.is_file() and other.stat().st_size == path.stat().st_size and _same_bytes(other, path):
            return other.name
    return None


def _same_bytes(one: Path, other: Path) -> bool:
    with one.open("rb") as left, other.open("rb") as right:
        while chunk := left.read(1 << 20):
            if chunk != right.read(1 << 20):
                return False
    return True


def _set_aside(path: Path, quarantine: Path, reason: str) -> None:
    """The reason first: what lies in quarantine always has one."""
    final = _free_name(quarantine / path.name)
    final.with_name(final.name + _REASON).write_text(reason + "\n", "utf-8", "replace")
    path.rename(final)


def _told(name: str) -> str:
    """A name as text: bytes that are no UTF-8 are escaped."""
    return name.encode("utf-8", "backslashreplace").decode()


def _shortened(path: Path) -> Path:
    """Room for a number, and for the name of the reason, in what a file system takes for a name (255 bytes)."""
    end = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    name = path.name.removesuffix(end) if end else path.name
    while len(os.fsencode(name + end)) > _LONGEST_NAME:
        name = name[:-1]
    return path.with_name(name + end)


def _free_name(path: Path) -> Path:
    """`export.zip`, or `export-2.zip` where that name is taken."""
    path = _shortened(path)
    for number in range(2, 10_000):
        if not os.path.lexists(path):
            return path
        stem = path.stem.removesuffix(f"-{number - 1}") if number > 2 else path.stem
        path = path.with_name(f"{stem}-{number}{path.suffix}")
    raise StoreError("there are too many files of this name", where=str(path.parent), fix="Empty the folder.")
