"""What the libraries make of a refusal of the system to write, as an error that says what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import StoreError

_REFUSED = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS)
#: torch.save tells of a refused write only in these words.
_TORCH_CANNOT_WRITE = ("PytorchStreamWriter", "inline_container", "iostream error")


@contextmanager
def refusals_told(where: Path) -> Iterator[None]:
    """Inside the block, writes that the system refuses are raised as a StoreError with `where`."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, OSError, RuntimeError) as error:
        text = str(error)
        if isinstance(error, RuntimeError) and not any(sign in text for sign in _TORCH_CANNOT_WRITE):
            raise
        if isinstance(error, OSError) and error.errno not in _REFUSED:
            raise
        full = "os error 28" in text or getattr(error, "errno", None) == errno.ENOSPC
        likely = "the disk is full, or has no room for so large a file"
        reason = (
            "no space left on device" if full else likely if isinstance(error, RuntimeError) else text.lower()
        )
        raise StoreError(
            f"the training cannot write: {reason}",
            where=str(where),
            fix="Free some space and run the same command again: it goes on from the last checkpoint.",
        ) from error
