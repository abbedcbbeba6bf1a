"""Paths: what a person named, and the files below a folder, in an order that people expect."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from schemas.errors import InputError, UsageError

_DIGITS = re.compile(r"(\d+)")
_SPELLING = "Check the spelling of the path."
_RIGHTS = "Check that you may read it."


def kind_of(path: Path) -> int:
    """The mode of a path that a person named, links followed.

    Raises UsageError when there is no such thing, InputError when there is and it cannot be looked at.
    """
    where = shown(str(path))
    if where != str(path):
        raise UsageError("a name that is not valid UTF-8", where=where, fix="Rename it.")
    try:
        return path.stat().st_mode
    except ValueError:  # a NUL
        raise UsageError("no such file or folder", where=ascii(str(path)), fix=_SPELLING) from None
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            if path.is_symlink():
                raise InputError("a link to nothing", where=where, fix="Give the file itself.") from None
            raise UsageError("no such file or folder", where=where, fix=_SPELLING) from None
        if error.errno == errno.ENAMETOOLONG:
            raise UsageError("a name that is too long", where=where, fix=_SPELLING) from None
        raise InputError(unreadable(error), where=where, fix=_RIGHTS) from None


def files_below(folder: Path, passed_over: Callable[[str, str], None]) -> list[Path]:
    """Everything below a folder that is no folder, links included; sorted by path, numbers by their value.

    Links to folders are not followed. `passed_over` is told the path, from `folder`, of each folder that cannot be
    listed, and why. Raises InputError when `folder` itself cannot.
    """
    found: list[Path] = []
    pending = [folder]
    while pending:  # no recursion: folders may lie deep
        parent = pending.pop()
        try:
            with os.scandir(parent) as entries:
                listed = [(Path(entry.path), _is_folder(entry)) for entry in entries]
        except OSError as error:
            if parent == folder:
                raise InputError(unreadable(error), where=str(folder), fix=_RIGHTS) from None
            passed_over(str(parent.relative_to(folder)), unreadable(error))
            continue
        pending += [path for path, is_folder in listed if is_folder]
        found += [path for path, is_folder in listed if not is_folder]
    return sorted(found, key=lambda path: natural(str(path)))


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """A key to sort names by, in which 9 comes before 10. Numbers may have any length: they are never converted."""
    pieces = [piece.lstrip("0") if piece.isdecimal() else piece for piece in _DIGITS.split(name)]
    numbers = [number % 2 == 1 for number in range(len(pieces))]
    return [(len(p) if n else -1, p) for p, n in zip(pieces, numbers, strict=True)], name


def shown(name: str) -> str:
    """A name as it is, or in ASCII with escapes when it is no valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return ascii(name)
    return name


def unreadable(error: OSError) -> str:
    """What is said of a file or folder that the system does not let us read."""
    return f"cannot be read: {error.strerror or type(error).__name__}"


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False  # then it is reported as a file that cannot be read
