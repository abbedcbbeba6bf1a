"""The device that a training runs on: its memory, free, held and at its peak; and letting go of it."""

from __future__ import annotations

import gc
import resource
from pathlib import Path

CPU = "CPU"


def free_memory() -> tuple[str, int | None]:
    """The device's name, and its free bytes; None where nobody says."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0), int(torch.cuda.mem_get_info(0)[0])
    known = [size for size in (_available(), _left_in_group()) if size is not None]
    return CPU, min(known) if known else None


def _available() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return found[0] if found else None


def _left_in_group() -> int | None:
    group = Path("/sys/fs/cgroup")
    try:
        limit, used = (group / "memory.max").read_text("ascii"), (group / "memory.current").read_text("ascii")
        return int(limit) - int(used)
    except (OSError, ValueError):  # no limit, or no such group
        return None


def held_memory() -> int:
    """Bytes that this process (on a GPU: its tensors there) holds now; the peak is measured anew from here on."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return int(torch.cuda.memory_allocated())
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")
        held = Path("/proc/self/statm").read_text("ascii").split()[1]
    except OSError:  # no such system: then the peak before is the best that is known
        return peak_memory()
    return int(held) * resource.getpagesize()


def peak_memory() -> int:
    """The most bytes that this process (on a GPU: its tensors there) held since `held_memory`, or ever."""
    import torch

    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated())
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def release_memory() -> None:
    """Give back what nobody holds any more, before something large is loaded."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
