"""`vatra build` and `vatra stage`: a build is planned, run and told."""

from __future__ import annotations

import argparse
import json
import math
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from flows.commands.session import answer, at_work, flow_runs, server_for
from schemas.errors import InputError, UsageError, VatraError
from schemas.files import expanded
from schemas.settings import BuildSettings, load_build_settings
from schemas.settings.loading import settings_over
from schemas.settings.sources_file import load_sources
from storage.home import open_home


def build(given: argparse.Namespace) -> int:
    """Exports in; corpus, report and perhaps an adapter out."""
    settings = load_build_settings(given.preset, given.settings, overrides(given))
    if not (given.paths or settings.sources or settings.sources_file):
        raise UsageError("there is nothing to build from", fix="Name a PATH, or --sources FILE.")
    places = [*given.paths, *_declared_paths(settings)]
    home = open_home(given.home)
    _check_paths(given.paths)
    with at_work(given, home) as listener, server_for(home) as server:
        from flows.planning import plan_build

        listener.reading(_size(places))
        run = plan_build(home, given.paths, settings, _workers(given), listener.read)
        from flows.build_corpus import build_here

        with flow_runs(home, server, listener):
            told = build_here(run.record.build, str(home.path), run.workers)
    return answer(given, told)


def stage(given: argparse.Namespace) -> int:
    """One stage again: a new build that differs from its parent in its settings only."""
    if given.dry_run:
        from flows.commands.trying import try_stage

        return try_stage(given)
    home = open_home(given.home)
    _check_paths(given.paths)
    with at_work(given, home) as listener, server_for(home) as server:
        from flows.planning import plan_build, replan_build, settings_of

        listener.waiting("planning")
        until = None if given.downstream else given.name
        if given.paths:
            settings = load_build_settings(given.preset, given.settings, overrides(given))
            listener.reading(_size([*given.paths, *_declared_paths(settings)]))
            run = plan_build(home, given.paths, settings, _workers(given), listener.read, until)
        else:
            parent, before = settings_of(home, given.build)
            settings = settings_again(given, parent.build, before)
            run = replan_build(home, parent, settings, _workers(given), until)
        from flows.run_stage import run_here

        with flow_runs(home, server, listener):
            told = run_here(run.record.build, str(home.path), run.workers)
    return answer(given, told)


def settings_again(given: argparse.Namespace, build: str, before: BuildSettings) -> BuildSettings:
    """The settings of an earlier build with what a command says laid over them. Raises SettingsError."""
    return settings_over(before, given.preset, given.settings, overrides(given, before), build)


def overrides(given: argparse.Namespace, before: BuildSettings | None = None) -> list[str]:
    """`--set` and the guide's own options, as key=value items. New patterns are added to those of `before`."""
    items = list(given.set)
    if getattr(given, "sources", None) is not None:
        items.append(f"sources_file={json.dumps(str(given.sources))}")
    if given.no_ai_slop:
        items.append("slop.enabled=false")
    if given.blacklist:
        old: list[Any] = before.model_dump(mode="json")["blacklist"]["patterns"] if before else []
        items.append(f"blacklist.patterns={json.dumps([*old, *given.blacklist])}")
    if given.toxicity_threshold is not None:
        if not math.isfinite(given.toxicity_threshold):
            raise UsageError("the toxicity threshold is a number from 0 to 1", where="--toxicity-threshold")
        items.append(f"toxicity.threshold={given.toxicity_threshold}")
    return items


def _declared_paths(settings: BuildSettings) -> list[Path]:
    """Where the declared sources lie, as far as they are files."""
    sources = dict(settings.sources)
    if settings.sources_file is not None:
        sources |= load_sources(expanded(settings.sources_file))
    return [Path(path) for source in sources.values() for path in source.path]


def _workers(given: argparse.Namespace) -> int | None:
    if given.workers is not None and given.workers < 1:
        raise UsageError(f"there must be at least one worker, not {given.workers}", where="--workers")
    workers: int | None = given.workers
    return workers


def _check_paths(paths: list[Path]) -> None:
    """What can be said of the paths before anything slow is started."""
    for path in paths:
        try:
            there = path.exists()
        except OSError as error:  # a name that is too long, a folder that may not be entered
            reason = os.strerror(error.errno or 0).lower()
            raise UsageError(f"the path cannot be looked at: {reason}", where=f"{str(path)[:80]}") from None
        if not there:
            hint = " (a setting? every key=value needs its own --set)" if "=" in path.name else ""
            raise UsageError(f"there is no such file or folder{hint}", where=str(path))
        if _is_empty_folder(path):
            raise InputError(
                "the folder is empty", where=str(path), fix="Name the folder that holds your export."
            )


def _is_empty_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not any(path.iterdir())
    except OSError:  # it may not be listed, which is said when it is read
        return False


def _size(paths: list[Path]) -> int:
    """Bytes on disk under the paths, for a progress bar; what cannot be looked at counts nothing here."""
    from tasks.parsers.walking import files_below

    total = 0
    for path in paths:
        with suppress(VatraError, OSError):
            for file in files_below(path, lambda name, reason: None) if path.is_dir() else [path]:
                with suppress(OSError):
                    total += file.stat().st_size
    return total
