"""What each command does. One function per command, named as it is typed; returns the exit code."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from flows.prefect_home import use_home, use_server
from flows.run_server import RunServer, drain
from flows.terminal import TerminalListener
from schemas.errors import InputError, StoreError, UsageError
from schemas.settings import BuildSettings, load_build_settings
from schemas.settings.loading import (
    apply_overrides,
    build_settings,
    load_lora_preset,
    preset_names,
    preset_values,
)
from storage.home import Home, open_home

if TYPE_CHECKING:
    from tasks.accounts import BuildReport


def build(given: argparse.Namespace) -> int:
    """Exports in; corpus, report and perhaps an adapter out."""
    settings = load_build_settings(given.preset, given.settings, overrides(given))
    home = open_home(given.home)
    _check_paths(given.paths)
    with _at_work(given, home) as listener, _server(home) as server:
        from flows.planning import plan_build

        listener.reading(_size(given.paths))
        run = plan_build(home, given.paths, settings, _workers(given), listener.read)
        from flows.build_corpus import build_corpus

        paths = [str(path) for path in given.paths]
        with _flow_runs(server, listener):
            told = build_corpus(paths, settings, str(home.path), run.record.build, run.workers)
    return _answer(given, told)


def stage(given: argparse.Namespace) -> int:
    """One stage again: a new build that differs from its parent in its settings only."""
    home = open_home(given.home)
    _check_paths(given.paths)
    with _at_work(given, home) as listener, _server(home) as server:
        from flows.planning import plan_build, replan_build, settings_of

        listener.waiting("planning")
        if given.paths:
            settings = load_build_settings(overrides=overrides(given))
            listener.reading(_size(given.paths))
            run = plan_build(home, given.paths, settings, _workers(given), listener.read, given.name)
        else:
            parent, before = settings_of(home, given.build)
            values = apply_overrides(before.model_dump(mode="json"), overrides(given, before))
            settings = build_settings(values, f"build {parent.build} and --set")
            run = replan_build(home, parent, settings, _workers(given), given.name)
        from flows.run_stage import run_stage

        with _flow_runs(server, listener):
            told = run_stage(run.record.build, str(home.path), run.workers)
    return _answer(given, told)


def report(given: argparse.Namespace) -> int:
    """A build's table on the terminal, and its page written again."""
    home = open_home(given.home)
    with _at_work(given, home) as listener:
        listener.waiting("reading the build")
        from flows.history import report_again

        told = report_again(home, given.build)
    return _answer(given, told)


def export(given: argparse.Namespace) -> int:
    """The corpus in the form of another trainer."""
    home = open_home(given.home)
    from schemas.tables import SPLITS
    from storage.catalog import read_build
    from storage.datasets import find_dataset
    from tasks.exporting import export_corpus

    record = read_build(home.store, given.build, "mix")
    corpus = find_dataset(home.store, "mix", record.stages.get("mix", "none"))
    if corpus is None:
        raise UsageError(
            f"the build {record.build} has no corpus", fix=f"Run `vatra stage mix --build {record.build}`."
        )
    splits = [split for split in SPLITS if split in (given.split or SPLITS)]
    rows = export_corpus(corpus, given.format, given.out, splits)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    kind = {"parquet": "examples", "messages": "conversations"}.get(given.format, "pairs")
    console.print(f"{rows:,} {kind} of build {record.build} ({', '.join(splits)}) in {given.out}")
    return _print_json(given, {"build": record.build, "rows": rows, "out": str(given.out)})


def presets(given: argparse.Namespace) -> int:
    """Build presets are settings files; model presets say what is trained."""
    found: dict[str, dict[str, str]] = {"build": {}, "train": {}}
    for name in preset_names("build"):
        load_build_settings(name)
        found["build"][name] = str(preset_values("build", name).get("description", ""))
    for name in preset_names("train"):
        found["train"][name] = load_lora_preset(name).description
    console = Console(stderr=given.json, highlight=False)
    titles = {
        "build": "build presets   vatra build PATH --preset NAME",
        "train": "model presets   --set train.lora=NAME",
    }
    for kind, items in found.items():
        console.print(f"[bold]{titles[kind]}[/]")
        for name, description in items.items():
            console.print(f"  {name:<10} {description}")
    return _print_json(given, found)


def fetch(given: argparse.Namespace) -> int:
    """Download a model into the home's cache."""
    home = open_home(given.home)
    from models.toxicity import fetch_detoxify

    console = Console(stderr=given.json, highlight=False)
    folder = fetch_detoxify(given.variant, home.cache, console.print)
    console.print(f"Ready: --set toxicity.scorer=detoxify:{given.variant}")
    return _print_json(given, {"fetched": f"detoxify:{given.variant}", "folder": str(folder)})


def overrides(given: argparse.Namespace, before: BuildSettings | None = None) -> list[str]:
    """`--set` and the guide's own options, as key=value items. New patterns are added to those of `before`."""
    items = list(given.set)
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


@contextmanager
def _at_work(given: argparse.Namespace, home: Home) -> Iterator[TerminalListener]:
    """Prefect set up for the home, progress shown (on standard error when --json owns standard output)."""
    use_home(home)
    with TerminalListener(Console(stderr=given.json)) as listener:
        from tasks.progress import listen

        listen(listener)
        try:
            yield listener
        finally:
            listen(None)


@contextmanager
def _server(home: Home) -> Iterator[RunServer]:
    """A server for this command, starting while the build is planned."""
    server = RunServer(home.prefect)
    use_server(server.url)
    with server:
        yield server


@contextmanager
def _flow_runs(server: RunServer, listener: TerminalListener) -> Iterator[None]:
    """The server answers; flows of this process send no heartbeat, whose thread they would wait for at their end."""
    listener.waiting("waiting for Prefect's run database")
    server.wait()
    from httpx import HTTPError
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    try:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
    except HTTPError as error:
        raise StoreError(
            f"Prefect's run database cannot be used ({type(error).__name__})",
            where=os.environ["PREFECT_HOME"],
            fix="server.log there says why: a full disk, or a home that was moved or deleted. Run the command again.",
        ) from error
    finally:
        drain()


def _answer(given: argparse.Namespace, told: BuildReport) -> int:
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    from flows.closing import print_closing

    print_closing(console, told)
    return _print_json(given, told.summary.model_dump())


def _print_json(given: argparse.Namespace, value: dict[str, Any]) -> int:
    if given.json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return 0


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
        if path.is_dir() and not any(path.iterdir()):
            raise InputError(
                "the folder is empty", where=str(path), fix="Name the folder that holds your export."
            )


def _size(paths: list[Path]) -> int:
    """Bytes on disk under the paths, for a progress bar."""
    total = 0
    for path in paths:
        for folder, _, names in os.walk(path) if path.is_dir() else [(str(path.parent), [], [path.name])]:
            total += sum(
                (Path(folder) / name).stat().st_size for name in names if (Path(folder) / name).is_file()
            )
    return total
