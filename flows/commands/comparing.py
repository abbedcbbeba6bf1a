"""`vatra diff`: what moved between two builds, on the terminal and as a page."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from rich.console import Console

from flows.commands.session import print_json
from flows.stage_names import STAGE_NAMES
from schemas.comparison import (
    Comparison,
    Move,
    Moves,
    SettingChange,
    StageChange,
    group_changes,
    setting_text,
)
from schemas.errors import UsageError
from schemas.manifest import BuildRecord
from schemas.visible import visible
from storage.catalog import read_build, settings_of, standing_builds
from storage.home import find_home
from storage.store import Store

LONGEST_VALUE = 80
#: The same for the mixture, whose phases and ranges are shown whole.
LONGEST_CONTRACT = 2_000


def diff(given: argparse.Namespace) -> int:
    """Compare two builds; the only thing written is the page."""
    if given.ids < 0:
        raise UsageError(f"a move cannot name {given.ids} ids", where="--ids")
    home = find_home(given.home)
    records = chosen_builds(home.store, given.builds)
    from tasks.differences import compare_builds, write_comparison
    from tasks.running import Run

    before, after = (Run(home, record, settings_of(record)) for record in records)
    comparison, samples = compare_builds(before, after, STAGE_NAMES, given.ids)
    page = write_comparison(after, comparison, samples)
    comparison = comparison.model_copy(update={"report": str(page)})
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False, emoji=False)
    for line in told(comparison):
        console.print(line)
    return print_json(given, comparison.model_dump())


def chosen_builds(store: Store, names: Sequence[str]) -> tuple[BuildRecord, BuildRecord]:
    """The earlier and the later build. One name: against its parent, else the standing build before it.

    Raises UsageError when there is nothing to compare with.
    """
    if len(names) > 2:
        raise UsageError(f"two builds are compared, not {len(names)}", fix="See `vatra diff --help`.")
    after = read_build(store, names[-1] if names else "latest")
    before = read_build(store, names[0]) if len(names) == 2 else _before(store, after)
    if before.build == after.build:
        raise UsageError(
            "a build is not compared with itself", where=after.build, fix="Name another one: latest~1, ..."
        )
    return before, after


def _before(store: Store, after: BuildRecord) -> BuildRecord:
    if after.parent is not None:
        try:
            return read_build(store, after.parent)
        except UsageError:
            pass  # the parent was pruned: the build before this one is the next best thing to compare with
    found = next(standing_builds(store, after.build), None)
    if found is None:
        raise UsageError(
            "there is no earlier build to compare with",
            where=after.build,
            fix="Make another one: `vatra stage filter --set ...`, or `vatra build PATH` again.",
        )
    return found


def told(comparison: Comparison) -> Iterator[str]:
    """The comparison in lines for the terminal."""
    yield f"{comparison.before} → {comparison.after}"
    yield from told_settings(comparison.settings)
    yield from _told_sources(comparison)
    yield ""
    for change in comparison.stages:
        yield f"  {change.stage:<11}{_told_stage(change)}"
    if comparison.level != "placements":
        yield f"\nOne of the builds is not assembled: its {comparison.level} are compared."
    yield ""
    yield from told_moves("messages", comparison.messages)
    yield from told_moves("examples", comparison.examples)
    yield f"\nPage     {comparison.report}"


def told_settings(changes: Sequence[SettingChange]) -> Iterator[str]:
    """Settings that differ, one a line."""
    for change in group_changes(changes):
        longest = LONGEST_CONTRACT if change.key.startswith("mix.") else LONGEST_VALUE
        old, new = (visible(setting_text(value), longest) for value in (change.before, change.after))
        yield f"  {visible(change.key)}: {old} → {new}"


def _told_sources(comparison: Comparison) -> Iterator[str]:
    for sign, files in (("+", comparison.inputs_added), ("-", comparison.inputs_removed)):
        for file in files:
            yield f"  {sign} {visible(file.label)} ({file.format}, {file.bytes:,} bytes, {file.digest[:12]})"
    if not (comparison.settings or comparison.inputs_added or comparison.inputs_removed):
        yield "  the same settings and files"


def _told_stage(change: StageChange) -> str:
    old, new = change.before, change.after
    if old is None or new is None:
        return (
            "not in the earlier build" if new else "not in the later build" if old else "in neither build yet"
        )
    if change.same:
        return "reused"
    if not new.rows_in:
        return "made anew"
    aside = [
        f"{reason} {was:,} → {now:,}"
        for reason in sorted({*old.set_aside, *new.set_aside})
        if (was := old.set_aside.get(reason, 0)) != (now := new.set_aside.get(reason, 0))
    ]
    counts = [f"{word} {_pair(was, now)}" for word, was, now in (
        ("in", old.rows_in, new.rows_in), ("out", old.rows_out, new.rows_out))]  # fmt: skip
    return f"made anew: {new.unit} {', '.join(counts)}" + (f"; {', '.join(aside)}" if aside else "")


def _pair(was: int, now: int) -> str:
    return f"{now:,}" if was == now else f"{was:,} → {now:,}"


def told_moves(unit: str, moves: Moves) -> Iterator[str]:
    """A ledger of moves in lines: each move, its count, roles and a few ids."""
    yield f"{unit}: {moves.before:,} before, {moves.after:,} after, {moves.unchanged:,} unchanged"
    for move in moves.moved:
        roles = ", ".join(f"{role} {count:,}" for role, count in move.by_role.items() if role != "example")
        yield f"  {move.count:>8,}  {move_name(move)}" + (f"  ({roles})" if roles else "")
        if move.ids:
            more = " ..." if move.count > len(move.ids) else ""
            yield f"            {' '.join(move.ids)}{more}"


def move_name(move: Move) -> str:
    """`kept → masked:slop`, `only in the later build: kept`, `kept, with another text`."""
    if move.before is None:
        return f"only in the later build: {visible(move.after)}"
    if move.after is None:
        return f"only in the earlier build: {visible(move.before)}"
    if move.before == move.after:
        return f"{visible(move.after)}, with another text"
    return f"{visible(move.before)} → {visible(move.after)}"
