"""What orchestration costs: the same build through Prefect on the home's running server, and without it.

    python -m benchmarks.orchestration [--messages 100000] [--repeat 2]

Prints one JSON object on its last line: share_of_100k_build (the larger of the shares of CPU and of wall time; CPU is
that of the build and of the server), seconds_on_tiny_build (wall, against a running server), up_seconds (`vatra up` in
an empty home until it returns) and idle_mb (resident memory of server and worker when nothing runs). Each side runs
`--repeat` times in processes of its own, in turns, and its least figures count: what else the machine does can only
add. Importing Prefect, which both sides do because tasks are declared with it, is measured apart (what it costs beyond
the libraries that a build needs anyway) and counted as orchestration.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chatgpt_export import write_export

#: Of the generated export; about 1.7 KB each in JSON, with what goes with it.
MESSAGES_PER_MB = 590
TINY_MB = 1
IDLE_FOR = 15  # seconds after the last run


@dataclass(frozen=True)
class Cost:
    """Seconds of wall time and of CPU, and how many messages the build had."""

    wall: float
    cpu: float
    messages: int = 0


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--one", nargs=3, metavar=("SIDE", "EXPORT", "HOME"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(_one(*given.one))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(_measure(Path(folder), given.messages, given.repeat)))


def _measure(folder: Path, messages: int, repeat: int) -> dict[str, float]:
    home = folder / "home"
    begun = time.monotonic()
    told = _vatra("up", "--home", str(home), "--port", str(_free_port()))
    up_seconds = time.monotonic() - begun
    services = [psutil.Process(told[name]["pid"]) for name in ("server", "worker")]
    try:
        importing = _importing(repeat)
        tiny = _compare(folder, "tiny", TINY_MB, repeat, told["api"], services[0])
        large = _compare(
            folder, "large", max(1, messages // MESSAGES_PER_MB), repeat, told["api"], services[0]
        )
        time.sleep(IDLE_FOR)
        idle = sum(process.memory_info().rss for process in services) / 1e6
    finally:
        _vatra("down", "--home", str(home))
    through, without = large
    shares = {
        kind: (getattr(through, kind) - getattr(without, kind) + getattr(importing, kind))
        / getattr(through, kind)
        for kind in ("cpu", "wall")
    }
    # Without the import, which this program pays on either side.
    plain = {kind: 1 - getattr(without, kind) / getattr(through, kind) for kind in ("cpu", "wall")}
    print(f"{through.messages} messages: through Prefect {through}, without {without}, import {importing}")
    print(f"shares: cpu {shares['cpu']:.4f}, wall {shares['wall']:.4f}; tiny: {tiny[0]} and {tiny[1]}")
    print(f"shares without the import: cpu {plain['cpu']:.4f}, wall {plain['wall']:.4f}")
    return {
        "share_of_100k_build": round(max(shares.values()), 4),
        "seconds_on_tiny_build": round(tiny[0].wall - tiny[1].wall + importing.wall, 2),
        "up_seconds": round(up_seconds, 2),
        "idle_mb": round(idle, 1),
    }


def _compare(
    folder: Path, name: str, megabytes: int, repeat: int, api: str, server: psutil.Process
) -> tuple[Cost, Cost]:
    """A build through Prefect and the same without it: the least of each."""
    export = folder / f"{name}.json"
    write_export(export, megabytes, seed=42)
    costs: dict[str, list[Cost]] = {"through": [], "without": []}
    for turn in range(repeat):
        for side, found in costs.items():
            before = server.cpu_times()
            cost = _run(["--one", side, str(export), str(folder / f"{name}-{side}-{turn}")], api)
            after = server.cpu_times()
            # On both sides: what the server does while nobody builds is no cost of the build.
            served = after.user + after.system - before.user - before.system
            found.append(Cost(cost.wall, cost.cpu + served, cost.messages))
    return _least(costs["through"]), _least(costs["without"])


def _least(costs: list[Cost]) -> Cost:
    return Cost(min(c.wall for c in costs), min(c.cpu for c in costs), costs[0].messages)


def _run(arguments: list[str], api: str) -> Cost:
    """A process of this module, with the CPU of its own children."""
    command = [sys.executable, "-m", "benchmarks.orchestration", *arguments]
    environment = {**os.environ, "PREFECT_API_URL": api, "PREFECT_LOGGING_LEVEL": "ERROR"}
    begun = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a side of the comparison failed: {' '.join(arguments)}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, int(told.splitlines()[-1]))


def _importing(repeat: int) -> Cost:
    """What `import prefect` costs beyond the libraries that a build needs without it."""
    ours = "import httpx, jinja2, pandas, polars, pydantic, rich.progress, yaml, great_expectations; "
    costs: dict[str, list[Cost]] = {ours: [], f"{ours}from prefect import flow, task": []}
    for _ in range(repeat + 1):
        for code, found in costs.items():
            begun = time.monotonic()
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", code], stderr=subprocess.DEVNULL
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            found.append(Cost(time.monotonic() - begun, usage.ru_utime + usage.ru_stime))
    empty, full = (_least(found) for found in costs.values())
    return Cost(full.wall - empty.wall, full.cpu - empty.cpu)


def _one(side: str, export: str, folder: str) -> int:
    """One build in this process; returns its messages."""
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.build_corpus import build_here
    from flows.planning import plan_build
    from flows.run_server import drain
    from schemas.settings import load_build_settings
    from storage.home import open_home

    settings = load_build_settings(overrides=["toxicity.scorer=profanity"])
    home = open_home(Path(folder))
    run = plan_build(home, [Path(export)], settings)
    if side == "through":
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):  # as `vatra build` does
            build_here(run.record.build, folder, run.workers)
        drain()
    else:
        _without(run)
    return run.dataset("parse").rows("messages")


def _without(run: Any) -> None:
    """The same stages and the same page, called as plain functions."""
    from flows.pipeline import pipeline_for
    from schemas.summary import BuildSummary
    from tasks.accounts import write_report

    stages = [task.fn(run) for _, task in pipeline_for(run.settings)]  # type: ignore[attr-defined]
    write_report(run, BuildSummary(build=run.record.build, home=str(run.home.path), stages=stages))


def _vatra(*arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments, "--json"],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
