"""kill -9 and Ctrl-C in the middle of a real build: nothing reads as done, no process stays, the rerun is the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
NO_TRAINING = ("--set", "train.lora=null", "--set", "train.tribal=null")


def start(home: Path, **variables: str) -> subprocess.Popen[str]:
    given = (
        "build",
        "examples",
        "--settings",
        "examples/settings.yaml",
        *NO_TRAINING,
        "--home",
        str(home),
        "--json",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VATRA_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *given],
        cwd=ROOT,
        env={**kept, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def servers_of(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("PREFECT_HOME") == str(home / "prefect"):
                found.append(process)
        except (psutil.AccessDenied, psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def datasets(home: Path) -> dict[str, bytes]:
    root = home / "datasets"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("failpoint", ["part-published:3", "manifest-put:4"])
def test_kill_in_the_middle(built: Any, home: Path, failpoint: str) -> None:
    process = start(home, VATRA_FAILPOINT=failpoint)
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    assert not list(home.glob("datasets/mix/*/manifest.json"))
    _gone, alive = psutil.wait_procs(servers_of(home), timeout=30)
    assert not alive, "a server outlived the command"
    again = start(home)
    _out, errors = again.communicate(timeout=300)
    assert again.returncode == 0, errors
    ours, reference = datasets(home), datasets(built.home)
    assert {name: reference.get(name) for name in ours} == ours
    assert any(name.startswith("mix/") for name in ours)


def test_interrupted_build_says_how_to_go_on(home: Path) -> None:
    process = start(home)
    assert process.stderr is not None
    for line in process.stderr:
        if "parse" in line:
            break
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "run the same command to go on" in errors
    assert "Traceback" not in errors
    assert '"error": "interrupted' in out.splitlines()[-1]
    _gone, alive = psutil.wait_procs(servers_of(home), timeout=30)
    assert not alive


def test_two_builds_of_one_home_at_once(built: Any, home: Path) -> None:
    both = [start(home), start(home)]
    for process in both:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    ours, reference = datasets(home), datasets(built.home)
    assert {name: reference.get(name) for name in ours} == ours
