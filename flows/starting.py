"""Starting and stopping what `vatra up` is about: a server, a worker, the deployments. All under the services' lock."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

from flows.prefect_home import server_environment, use_server, worker_environment
from flows.refusals import refusals
from flows.run_server import bind, is_healthy, start_server
from flows.services import (
    Service,
    Services,
    ask_identity,
    left_behind,
    live_server,
    new_service,
    read_services,
    write_services,
)
from schemas.errors import UsageError, VatraError
from storage.home import Home

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

DEFAULT_PORT = 4200
SERVER_WITHIN = 180  # seconds; a slow disk migrating a fresh database takes some tens
WORKER_WITHIN = 60
STOP_WITHIN = 20
PORT_FREED_WITHIN = 5
WORKER_NAME = "vatra"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Started:
    """What `up` found or made."""

    services: Services
    new_server: bool = False
    new_worker: bool = False
    new_deployments: bool = False
    swept: int = 0


def bring_up(home: Home, port: int | None, say: Say) -> Started:
    """Server, worker and deployments, each started only when it is missing. Raises VatraError, and leaves no halves."""
    _stop_leftovers(home, say)
    before = read_services(home)
    services = live_server(home)
    if services and port is not None and services.port != port:
        raise UsageError(
            f"the server of this home runs already, on port {services.port}",
            fix=f"Use it, or run `vatra down` first and then `vatra up --port {port}`.",
        )
    started = Started(services) if services else _start_server(home, port, before, say)
    try:
        return _complete(home, started, say)
    except VatraError:
        if started.new_server:
            _stop(started.services.server)
            write_services(home, started.services.model_copy(update={"server": None, "worker": None}))
        raise


def take_down(home: Home, say: Say) -> list[str]:
    """Stop the worker, then the server; returns what was stopped, for people."""
    services = read_services(home) or left_behind(home)
    if services is None:
        return []
    stopped = []
    if services.worker is not None and services.worker.running:
        say("stopping the worker and the runs that it started")
        _stop(services.worker)
        stopped.append(f"worker (process {services.worker.mark.pid})")
        if live_server(home) is not None and (ended := _sweep(home, services)):
            stopped.append(f"{ended} runs under way: start them again to go on, finished parts are kept")
    if services.server is not None and services.server.running:
        say("stopping the server")
        _stop(services.server)
        stopped.append(f"server on port {services.port} (process {services.server.mark.pid})")
    nothing = {"server": None, "worker": None, "home": str(home.path)}
    write_services(home, services.model_copy(update=nothing))
    return stopped


def _stop_leftovers(home: Home, say: Say) -> None:
    """Services of a home that was moved under them hold files of a folder that is gone: they cannot go on."""
    behind = left_behind(home)
    if behind is None:
        return
    if behind.server_runs or behind.worker_runs:
        say(f"this home was moved from {behind.home}: stopping what still runs for it there")
    _stop(behind.worker)
    _stop(behind.server)
    write_services(home, Services(home=str(home.path), port=behind.port))


def _start_server(home: Home, port: int | None, before: Services | None, say: Say) -> Started:
    if before is not None:
        if before.server_runs:
            say("the server does not answer: stopping it")
        elif before.server is not None:
            say("the server has ended by itself: starting it again")
        _stop(before.server)
    wanted = port if port is not None else before.port if before else DEFAULT_PORT
    log = home.prefect / "home-server.log"
    listening = _bind_port(home, wanted, PORT_FREED_WITHIN if before is not None else 0)
    say("starting the server")
    with listening:
        chosen = listening.getsockname()[1]
        process = start_server(listening, 0, server_environment(home, chosen, ui=True), log)
    service = new_service(process.pid)
    if service is None:
        raise VatraError("Prefect's server did not start", where=str(log), fix="The file says why.")
    worker = before.worker if before else None
    if before is not None and before.port != chosen:
        _stop(worker)  # it looks for the server where that was; else it finds the new one, and its runs go on
        worker = None
    deployed = before.deployed if before else None
    services = Services(home=str(home.path), port=chosen, server=service, worker=worker, deployed=deployed)
    write_services(home, services)
    return Started(services, new_server=True)


def _bind_port(home: Home, port: int, patience: float) -> socket.socket:
    """The port, as soon as a process of ours that has just been stopped gives it up."""
    give_up = time.monotonic() + patience
    while True:
        try:
            return bind(port)
        except OSError:
            if time.monotonic() >= give_up or ask_identity(port, patience=0.5) is not None:
                _refuse_port(home, port)
        time.sleep(0.1)


def _refuse_port(home: Home, port: int) -> NoReturn:
    said = ask_identity(port)
    if said is not None:
        holder = f"the vatra server of another home ({said['home']})"
    elif is_healthy(f"http://127.0.0.1:{port}/api"):
        holder = "another Prefect server"
    else:
        holder = "another program"
    raise UsageError(
        f"port {port} of 127.0.0.1 is taken by {holder}",
        where=str(home.path),
        fix="Choose another with `vatra up --port N`.",
    )


def _complete(home: Home, started: Started, say: Say) -> Started:
    """Everything beyond a server process that was started."""
    services = started.services
    use_server(services.api_url)
    # These imports take a second or two, in which the server comes up.
    from prefect.client.orchestration import get_client

    from flows.deploying import apply_deployments, are_deployed, digest_of, make_pool, read_deployments

    deployments = read_deployments()
    digest = digest_of(deployments)
    _await_server(home, services, say)
    with refusals("starting up"), get_client(sync_client=True) as client:
        make_pool(client)
        worker = None if services.worker_runs else _start_worker(home, services, say)
        if worker is not None:
            started = replace(started, new_worker=True)
            services = services.model_copy(update={"worker": worker})
            write_services(home, services)
        try:
            if services.deployed != digest or not are_deployed(client, deployments):
                say("applying the deployments")
                apply_deployments(client, deployments)
                started = replace(started, new_deployments=True)
            started = replace(started, swept=_tidy(home, client))
            if worker is not None:
                _await_worker(home, client, worker, say)
        except VatraError:
            if worker is not None:
                _stop(worker)
                write_services(home, services.model_copy(update={"worker": None}))
            raise
    services = services.model_copy(update={"deployed": digest})
    write_services(home, services)
    return replace(started, services=services)


def _sweep(home: Home, services: Services) -> int:
    """Say of the runs that ended with the worker that they did; returns how many."""
    use_server(services.api_url)
    from prefect.client.orchestration import get_client

    from flows.maintain import sweep

    with refusals("stopping"), get_client(sync_client=True) as client:
        return sweep(client, datetime.now(UTC), home).changed


def _tidy(home: Home, client: SyncPrefectClient) -> int:
    """Runs that died while nothing was up, and the automation that watches from now on; returns how many died."""
    from flows.maintain import sweep
    from flows.watching import watch_heartbeats

    watch_heartbeats(client)
    return sweep(client, datetime.now(UTC), home).changed


def _await_server(home: Home, services: Services, say: Say) -> None:
    log = home.prefect / "home-server.log"
    give_up = time.monotonic() + SERVER_WITHIN
    say("waiting for the server")
    while time.monotonic() < give_up and services.server_runs:
        if is_healthy(services.api_url):
            return
        time.sleep(0.05)
    raise VatraError("Prefect's server did not start", where=str(log), fix="The file says why.")


def _start_worker(home: Home, services: Services, say: Say) -> Service:
    say("starting the worker")
    log = home.prefect / "home-worker.log"
    command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start", "--pool", "local"]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [*command, "--type", "process", "--name", WORKER_NAME],
            cwd=home.path,
            env=worker_environment(home, services.api_url),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,
        )
    service = new_service(process.pid)
    if service is None:
        raise VatraError("the worker did not start", where=str(log), fix="The file says why.")
    return service


def _await_worker(home: Home, client: SyncPrefectClient, worker: Service, say: Say) -> None:
    """Until the worker has reported to the server since it was started."""
    say("waiting for the worker")
    since = datetime.fromisoformat(worker.since)
    give_up = time.monotonic() + WORKER_WITHIN
    while time.monotonic() < give_up and worker.running:
        answer = client.request("POST", "/work_pools/local/workers/filter", json={})  # type: ignore[arg-type]
        seen = [
            one["last_heartbeat_time"]
            for one in answer.json()
            if one["name"] == WORKER_NAME and one["last_heartbeat_time"]
        ]
        if any(datetime.fromisoformat(time_) >= since for time_ in seen):
            return
        time.sleep(0.1)
    log = home.prefect / "home-worker.log"
    raise VatraError("the worker did not come up", where=str(log), fix="The file says why.")


def _stop(service: Service | None) -> None:
    """Ask, wait, insist. Only ever the very process that was started."""
    if service is None or not service.running:
        return
    _signal(service.mark.pid, signal.SIGTERM)
    if not _gone_within(service, STOP_WITHIN):
        _signal(service.mark.pid, signal.SIGKILL)
        _gone_within(service, STOP_WITHIN)


def _gone_within(service: Service, seconds: float) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        with suppress(ChildProcessError):
            os.waitpid(service.mark.pid, os.WNOHANG)  # it may be our own child
        if not service.running:
            return True
        time.sleep(0.05)
    return False


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
