"""`vatra explain`: the story of a message or a conversation."""

from __future__ import annotations

import argparse

from rich.console import Console

from flows.commands.session import print_json
from flows.stories import told
from schemas.errors import UsageError
from schemas.manifest import BuildRecord
from schemas.visible import visible
from storage.catalog import read_build, settings_of, standing_builds
from storage.home import Home, find_home

#: Candidates that are named when the beginning of an id is not enough.
CANDIDATES = 8


def explain(given: argparse.Namespace) -> int:
    """Find what the id names, in one build, and tell it."""
    from tasks.finding import SHORTEST

    wanted = given.id.strip()
    if len(wanted) < SHORTEST:
        raise UsageError(
            f"{visible(wanted)!r} is too short to be looked for",
            where="ID",
            fix=f"Give at least {SHORTEST} characters of an id; `vatra diff` and the reports name ids.",
        )
    home = find_home(given.home)
    record = read_build(home.store, given.build)
    from tasks.accounts import BuildTables
    from tasks.explaining import explain as explain_match
    from tasks.finding import find_id
    from tasks.running import Run

    run = Run(home, record, settings_of(record))
    tables = BuildTables(run)
    found = find_id(tables, wanted)
    if not found:
        raise _not_there(home, record, tables, wanted)
    if len(found) > 1:
        named = [f"{match.kind} {visible(match.id)}" for match in found[:CANDIDATES]]
        more = f" and {len(found) - CANDIDATES} more" if len(found) > CANDIDATES else ""
        raise UsageError(
            f"{len(found)} ids begin with {visible(wanted)!r}: {', '.join(named)}{more}",
            where=f"build {record.build}",
            fix="Give more characters.",
        )
    story = explain_match(run, tables, found[0], given.full)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False, emoji=False)
    for line in told(story, given.full):
        console.print(line)
    return print_json(given, story.model_dump())


def _not_there(home: Home, record: BuildRecord, tables: object, wanted: str) -> UsageError:
    """Which ids were looked at; and, since a message may be gone only from this build, which build has it."""
    from tasks.accounts import BuildTables
    from tasks.finding import find_id, looked_at
    from tasks.running import Run

    assert isinstance(tables, BuildTables)
    looked = ", ".join(f"{count:,} {table}" for table, count in looked_at(tables).items())
    elsewhere, seen = None, {record.stages.get("parse")}
    for other in standing_builds(home.store, past_damage=True):
        if other.stages.get("parse") not in seen:
            seen.add(other.stages.get("parse"))
            run = Run(home, other, settings_of(other))
            if find_id(BuildTables(run), wanted):
                elsewhere = other.build
                break
    return UsageError(
        f"no id is or begins with {visible(wanted)!r}",
        where=f"build {record.build}: {looked or 'nothing was read'}",
        fix=f"The build {elsewhere} has it: add --build {elsewhere}."
        if elsewhere
        else "No other standing build has it either.",
    )
