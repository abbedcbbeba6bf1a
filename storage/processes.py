"""Which process is meant: a pid alone may have been given to another program since.

A mark names a process for good: the machine's boot and process namespace, the pid, and when the process began, in
the kernel's own count, which no change of the clock moves.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from pydantic import BaseModel, ConfigDict


class ProcessMark(BaseModel):
    """One process. `place` is where its pid means anything; `began` is opaque and compared only for equality."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    place: str
    pid: int
    began: str


def mark_process(pid: int) -> ProcessMark | None:
    """The mark of a running process; None when there is none, or it has ended and only waits for its parent."""
    began = _began(pid)
    return None if began is None else ProcessMark(place=this_place(), pid=pid, began=began)


def is_running(mark: ProcessMark) -> bool:
    """Whether exactly this process is still there. False for a mark of another place: ask `is_here` first."""
    return is_here(mark) and mark_process(mark.pid) == mark


def is_here(mark: ProcessMark) -> bool:
    """Whether the mark was made where this process runs: same boot, same process namespace."""
    return mark.place == this_place()


def this_place() -> str:
    """This boot of this machine (and container): what a pid belongs to."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        return f"{boot.read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
    return f"{os.uname().nodename} {_ask_ps(1) or ''}"  # process 1 began when the machine did


def _began(pid: int) -> str | None:
    if not Path("/proc/self/stat").exists():
        return _ask_ps(pid)
    try:
        # The name stands in brackets and may hold anything; state is the first field behind it, start time the 20th.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]


def _ask_ps(pid: int) -> str | None:
    done = subprocess.run(
        ["ps", "-o", "lstart=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
        env={"LC_ALL": "C"},
    )
    return done.stdout.strip() or None
