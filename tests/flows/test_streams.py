"""What a command is connected to may be closed, full or old, and a command may be told to stop: never a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import ROOT, environment

REDIRECTIONS = {
    "full": ">/dev/full",
    "closed": ">&-",
    "all closed": "<&- >&- 2>&-",
    "a pipe that nobody reads": "| true",
}


def shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    line = f"set -o pipefail; {sys.executable} -m flows.cli {command}"
    return subprocess.run(
        ["bash", "-c", line],
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.parametrize("where", REDIRECTIONS.values(), ids=REDIRECTIONS)
def test_an_answer_that_cannot_be_given_is_a_failure(built: Any, where: str) -> None:
    done = shell(f"report --json --home {built.home} {where}")
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert "a bug" not in done.stderr
    if where in (">/dev/full", ">&-"):
        assert "vatra: the answer cannot be written to standard output" in done.stderr


def test_text_for_people_on_a_full_disk(built: Any) -> None:
    done = shell("presets >/dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("vatra: ")
    assert len(done.stderr.splitlines()) == 1
    assert "no space left" in done.stderr


def test_nothing_is_written_into_files_that_take_the_place_of_closed_streams(built: Any) -> None:
    database = built.home / "prefect/prefect.db"
    shell(f"stage filter --home {built.home} <&- >&- 2>&-")
    assert database.read_bytes().startswith(b"SQLite format 3\0")
    assert b"Filtering Statistics" not in database.read_bytes()


def test_a_terminal_that_knows_ascii_only(built: Any) -> None:
    old = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}
    done = shell(f"report {built.summary['build']} --json --home {built.home}", **old)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["messages"] == built.summary["messages"]
    assert "Filtering Statistics" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_told_to_stop(built: Any, tmp_path: Path, number: signal.Signals) -> None:
    """Stopped while it waits for its run database, in the middle of a command."""
    given = ["build", "examples", "--set", "toxicity.scorer=none", "--home", str(tmp_path / "home"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *given],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "waiting for" in line:
            break
    process.send_signal(number)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + number
    assert [line for line in errors.splitlines() if line.startswith("vatra: ")] == [
        "vatra: interrupted. Finished parts are kept: run the same command to go on."
    ]
    assert "Traceback" not in errors
    assert json.loads(out.splitlines()[-1])["error"].startswith("interrupted")


def test_names_cannot_steer_the_terminal(home: Path, tmp_path: Path, run_vatra: Any) -> None:
    name = tmp_path / "a\x1b[31m\u202eb\r\nvatra: fine.json"
    name.write_text("no chat at all")
    answer = run_vatra("build", name, "--home", home, "--set", "toxicity.scorer=none", "--json")
    assert answer.code == 1
    (line,) = [line for line in answer.errors.splitlines() if "vatra: " in line]
    assert "‹U+001B›" in line
    assert "‹U+202E›" in line
    assert not set("\x1b\u202e\r") & set(answer.errors)


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("foo://bucket", "the store cannot be opened: Protocol not known: foo"),
        ("memory://bucket", "a store in memory is gone when the command ends"),
        ("/proc/nowhere/at/all", "the store's folder cannot be used"),
    ],
)
def test_a_store_that_cannot_be_used(tmp_path: Path, run_vatra: Any, store: str, words: str) -> None:
    answer = run_vatra("report", "--home", tmp_path / "home", "--json", VATRA_STORE=store)
    assert (answer.code, words in answer.errors) == (2, True), answer.errors
    assert words in answer.object["error"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
@pytest.mark.parametrize("megabytes", [1, 5])
def test_a_full_disk(tmp_path: Path, run_vatra: Any, megabytes: int) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine mounts no small disk")
    try:
        answer = run_vatra(
            "build", "examples", "--settings", "examples/settings.yaml", "--home", disk / "home", "--json"
        )
        assert answer.code == 1
        (line,) = [line for line in answer.errors.splitlines() if line.startswith("vatra: ")]
        assert "the disk is full" in line.lower()
        assert not list(disk.glob("home/datasets/mix/*/manifest.json"))
    finally:
        subprocess.run(["umount", str(disk)], check=True)
