"""One real build of the examples for all tests that look at a finished home, with the network cut."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.run_server import RunServer
from storage.home import open_home
from tests.flows.looked import look, looked  # noqa: F401 (fixtures)

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Answer:
    """What a command said, and its exit code."""

    code: int
    out: str
    errors: str

    @property
    def object(self) -> dict[str, Any]:
        """The object of --json: the last line of standard output."""
        found: dict[str, Any] = json.loads(self.out.splitlines()[-1])
        return found


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VATRA_"))}
    return {**kept, "COLUMNS": "100", **more}


def vatra(*arguments: object, **variables: str) -> Answer:
    command = [sys.executable, "-m", "flows.cli", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(**variables), capture_output=True, text=True, timeout=600
    )
    return Answer(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Built:
    """A home with one finished build of the examples."""

    home: Path
    answer: Answer
    refused_sockets: Path

    @property
    def summary(self) -> dict[str, Any]:
        return self.answer.object


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    home = tmp_path_factory.mktemp("home")
    log = tmp_path_factory.mktemp("sockets") / "refused.txt"
    answer = vatra(
        *("build", EXAMPLES, "--settings", EXAMPLES / "settings.yaml", "--home", home, "--json"),
        PYTHONPATH=f"{ROOT / 'tests/offline'}{os.pathsep}{ROOT}",
        VATRA_TEST_SOCKETS=str(log),
        HOME=str(tmp_path_factory.mktemp("user")),
    )
    return Built(home, answer, log)


@pytest.fixture(scope="session")
def run_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prefect's folder of a home, its database migrated and empty: half of what a small build in a new home takes."""
    home = open_home(tmp_path_factory.mktemp("migrated") / "home")
    with RunServer(home) as server:
        server.wait()
    return home.prefect


@pytest.fixture
def home(run_database: Path, tmp_path: Path) -> Path:
    """A home's path for a test of its own: nothing lies there but a run database in which nothing ever ran."""
    shutil.copytree(run_database, tmp_path / "home" / "prefect")
    return tmp_path / "home"


@pytest.fixture
def run_vatra() -> Callable[..., Answer]:
    return vatra
