"""Out of memory, once: half the batch, twice the accumulation, and on; what is learnt stays the same."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from models.training.checkpoints import write_whole
from models.training.device import release_memory
from models.training.schedule import Batch
from models.training.watching import StepWatcher
from schemas.errors import StageFailed
from schemas.ids import canonical_json

_BATCH = "batch.json"

Trained = TypeVar("Trained")


def read_batch(work: Path, wanted: Batch) -> tuple[Batch, int]:
    """The batch that a run trains with by now, and how often the memory did not do; at first the wanted one, and 0."""
    try:
        size, accumulation, failures = json.loads((work / _BATCH).read_bytes())
    except (OSError, ValueError):
        return wanted, 0
    return Batch(size, accumulation), failures


def train_within_memory(
    train: Callable[[Batch, int], Trained], work: Path, wanted: Batch, watcher: StepWatcher, advice: str
) -> Trained:
    """Call `train` with the batch and the failures so far, and once more with half the batch if the memory gives out.

    Raises StageFailed with `advice` when it gives out again; everything else as `train` does.
    """
    while True:
        batch, failures = read_batch(work, wanted)
        try:
            return train(batch, failures)
        except (RuntimeError, MemoryError, OSError) as error:
            if not is_out_of_memory(error):
                raise
        release_memory()
        halved = batch.halved()
        if failures or halved is None:
            again = " again, with half the batch" if failures else " with one window in a batch"
            raise StageFailed(f"the training ran out of memory{again}", fix=advice)
        values = [halved.size, halved.accumulation, failures + 1]
        write_whole(work / _BATCH, canonical_json(values))
        watcher.noted(
            f"Out of memory with batch_size {batch.size}: going on with batch_size {halved.size} and "
            f"gradient_accumulation {halved.accumulation}."
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch could get no memory, on an accelerator or on the CPU."""
    import torch

    text = str(error)
    if (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or getattr(error, "errno", None) == errno.ENOMEM
    ):
        return True
    return any(
        sign in text
        for sign in ("DefaultCPUAllocator", "can't allocate", "annot allocate memory", "ALLOC_FAILED")
    )
