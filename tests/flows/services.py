"""Driving a home's real services from tests: ports, runs, processes, with deadlines instead of sleeps."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from storage.home import Home

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {"toxicity": {"scorer": "profanity"}, "mix": {"validation": 0.1, "test": 0.1}}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(true: Callable[[], Any], what: str, within: float = 240) -> Any:
    """Whatever `true` returns once it is truthy; a failed test when that takes too long."""
    give_up = time.monotonic() + within
    while time.monotonic() < give_up:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {within} s")


def start_vatra(*arguments: object, **variables: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VATRA_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        cwd=ROOT,
        env={**kept, "COLUMNS": "100", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def datasets(home: Path) -> dict[str, bytes]:
    root = home / "datasets"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@dataclass(frozen=True)
class Place:
    """A home with its services up, and a client of its server."""

    home: Home
    client: Any

    @property
    def services(self) -> Any:
        from flows.services import read_services

        return read_services(self.home)

    def start(self, deployment: str, failpoint: str | None = None, **parameters: Any) -> Any:
        """A run of a deployment; with a failpoint its process freezes or dies there."""
        found = self.client.read_deployment_by_name(deployment)
        variables = dict(found.job_variables)
        if failpoint:
            variables["env"] = {"VATRA_FAILPOINT": failpoint}
        return self.client.create_flow_run_from_deployment(
            found.id, parameters=parameters, job_variables=variables
        )

    def build(self, failpoint: str | None = None, deployment: str = "build-corpus/adhoc", **more: Any) -> Any:
        given = {"paths": [str(ROOT / "examples")], "settings": SETTINGS, **more}
        return self.start(deployment, failpoint, **given)

    def read(self, run: Any) -> Any:
        return self.client.read_flow_run(run.id)

    def state(self, run: Any) -> str:
        return str(self.read(run).state_type.value)

    def reaches(self, run: Any, *states: str, within: float = 240) -> Any:
        until(lambda: self.state(run) in states, f"{run.name} becomes {states}", within)
        return self.read(run)

    def frozen(self, run: Any) -> psutil.Process:
        """The run's process, once it stands still at its failpoint."""

        def find() -> psutil.Process | None:
            pid = str(self.read(run).labels.get("vatra.pid", ""))
            process = psutil.Process(int(pid)) if pid else None
            return process if process and process.status() == psutil.STATUS_STOPPED else None

        found: psutil.Process = until(find, f"{run.name} stands still at its failpoint")
        return found

    def kill_worker(self) -> None:
        kill(psutil.Process(self.services.worker.mark.pid))

    def sweep(self, now: Any) -> Any:
        from flows.maintain import sweep

        return sweep(self.client, now, self.home)

    def open_tasks(self, run: Any) -> list[str]:
        from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

        wanted = FlowRunFilter(id=FlowRunFilterId(any_=[run.id]))
        tasks = self.client.read_task_runs(flow_run_filter=wanted)
        return [task.name for task in tasks if not task.state.is_final()]


def kill(*processes: psutil.Process) -> None:
    """-9, all of them before any is waited for, so that none can tell of the other's end."""
    for process in processes:
        process.send_signal(signal.SIGKILL)
    psutil.wait_procs(processes, timeout=10)


@contextmanager
def services_of(home: Home, port: int) -> Iterator[Place]:
    """A client of the services that `vatra up` started for the home; they are stopped at the end."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    url = f"http://127.0.0.1:{port}/api"
    with temporary_settings({PREFECT_API_URL: url, PREFECT_HOME: home.prefect}):
        try:
            with get_client(sync_client=True) as client:
                yield Place(home, client)
        finally:
            start_vatra("down", "--home", home.path).communicate(timeout=120)
