"""What is taken for a memory that gave out."""

from __future__ import annotations

import errno

import pytest

from models.training.halving import is_out_of_memory


@pytest.mark.parametrize(
    ("error", "memory"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (RuntimeError("unable to mmap 14322752 bytes from file <x>: Cannot allocate memory (12)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (RuntimeError("the sizes do not fit"), False),
    ],
)
def test_what_counts_as_out_of_memory(error: BaseException, memory: bool) -> None:
    assert is_out_of_memory(error) == memory
