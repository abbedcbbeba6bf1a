"""What a person named: paths with a home folder in them, and regular files; a pipe or a device may never end."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

from schemas.errors import UsageError

#: What is said of anything else.
NOT_REGULAR = "it is no regular file (a folder, pipe, socket or device)"


def expanded(path: str | Path) -> Path:
    """The path with `~` and `~name` as home folders. Raises UsageError when there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise UsageError(
            "nobody's home folder is called so",
            where=str(path),
            fix="Give the full path, or ./~name for a file of that name.",
        ) from None


def open_regular(path: str | Path) -> BinaryIO:
    """The bytes of a regular file, links followed. Raises OSError, for anything else and without waiting for it."""
    # Opening a pipe waits for somebody who writes into it, unless asked not to; what was opened is what is looked at.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, NOT_REGULAR, str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | Path) -> bytes:
    """All of a regular file. Raises OSError, and ValueError for a path that no system knows."""
    with open_regular(path) as file:
        return file.read()
