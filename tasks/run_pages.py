"""Pages of training runs in the home's reports, and the lines of a preflight that all trainings have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from schemas.training_run import Need
from storage.home import Home
from storage.store import translated
from tasks.reports.templates import tell_time
from tasks.training_log import tell_bytes


def write_page(home: Home, path: Path, page: str) -> Path:
    """Write a page whole or not at all; returns its path."""
    with translated("write the report", str(path)):
        home.reports.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(page, "utf-8")
        temporary.replace(path)
    return path


def memory_need(estimated: int, measured: dict[str, Any], free: str) -> Need:
    """Memory in all, estimated and, of a run that is over, measured."""
    peak, held = measured.get("peak_bytes"), measured.get("held_bytes", 0)
    before = f"; the process held {tell_bytes(held)} before (libraries, mostly)" if held else ""
    return Need(
        part="memory in all",
        estimated=estimated,
        measured=None if peak is None else max(0, peak - held),
        note=f"{free}; measured is what the training took at its peak{before}",
    )


def time_needs(hours: float | None, measured: dict[str, Any], earlier: float) -> tuple[Need, Need]:
    """Time and speed; `earlier`: seconds of sessions before the last one."""
    taken = measured.get("seconds")
    note = "estimated from ten steps; unknown before them"
    if taken is not None and earlier:
        note = (
            f"of all sessions: the run was taken up again, and the last one took {tell_time(taken)}; of those before, "
            "what passed from their first step to their last"
        )
    return (
        Need(
            part="time",
            estimated=None if hours is None else hours * 3600,
            measured=None if taken is None else taken + earlier,
            unit="seconds",
            note=note,
        ),
        Need(part="speed", measured=measured.get("tokens_per_second"), unit="tokens/s"),
    )
