"""What to do with an exception that nobody foresaw: its details go to a file of the owner's, and nowhere else.

Prefect would write the text of such an exception, which may quote a chat, into its logs and its run database.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import StageFailed, VatraError


def crash_error(error: BaseException) -> StageFailed:
    """The error to show in place of a bug; a file, readable by its owner only, holds the traceback."""
    text = "".join(traceback.format_exception(error))
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", errors="replace", prefix="vatra-crash-", suffix=".txt", delete=False
    ) as sink:
        sink.write(text)
    return StageFailed(
        f"stopped by a bug in vatra ({type(error).__name__}); nothing half done was published",
        where=sink.name,
        fix="The file holds the details; it may quote your chats, so read it before you send it to anybody.",
    )


@contextmanager
def bugs_kept_private(*foreseen: type[Exception]) -> Iterator[None]:
    """Around everything that Prefect watches: what leaves is an error of the tree, the system's own, or `foreseen`."""
    passing: tuple[type[Exception], ...] = (VatraError, OSError, MemoryError, *foreseen)
    try:
        yield
    except passing:
        raise
    except Exception as error:  # noqa: BLE001 - see the module: whatever it is, its text stays here
        raise crash_error(error) from None
