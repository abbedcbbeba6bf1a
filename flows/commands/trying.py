"""`vatra stage filter --dry-run`: what other settings would do, said without writing and without Prefect."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

from rich.console import Console

from flows.commands.comparing import told_moves, told_settings
from flows.commands.session import print_json
from schemas.comparison import Trial
from schemas.errors import UsageError
from storage.catalog import read_build, settings_of
from storage.home import find_home

IDS = 5


def try_stage(given: argparse.Namespace) -> int:
    """Try the filter with the wanted settings and tell what would move."""
    if given.name != "filter":
        raise UsageError(
            f"only the filter stage can be tried without a run, not {given.name}", where="--dry-run"
        )
    if given.paths:
        raise UsageError(
            "a dry run starts from a build that stands, not from exports",
            where="--dry-run",
            fix="Leave the PATH out; --build names the build (default: the latest).",
        )
    from flows.commands.building import settings_again

    home = find_home(given.home)
    record = read_build(home.store, given.build)
    before = settings_of(record)
    wanted = settings_again(given, record.build, before)
    from tasks.running import Run
    from tasks.trying import try_filter

    begun = time.monotonic()
    trial = try_filter(Run(home, record, before), wanted, IDS)
    trial = trial.model_copy(update={"seconds": round(time.monotonic() - begun, 3)})
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False, emoji=False)
    for line in told(trial):
        console.print(line)
    return print_json(given, trial.model_dump())


def told(trial: Trial) -> Iterator[str]:
    """The trial in lines for the terminal."""
    yield f"{trial.build}, filtered with other settings (nothing was written)"
    yield from told_settings(trial.settings)
    if not trial.settings:
        yield "  the same settings"
    yield ""
    from tasks.reports.reasons import percent

    total = trial.messages.before
    for name, (was, now) in trial.outcomes.items():
        yield f"  {name:<8} {was:>9,} {percent(was, total):>7} → {now:>9,} {percent(now, total):>7}"
    yield ""
    yield from told_moves("verdicts", trial.messages)
    if trial.assembled.moved != trial.messages.moved:
        yield ""
        yield from told_moves("after assembly", trial.assembled)
    for refusal in trial.refused:
        yield f"\nThe filter would refuse this and publish nothing: {refusal}."
    yield f"\n{trial.seconds:.1f} s. To do it: the same command without --dry-run."
