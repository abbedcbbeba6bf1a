"""`vatra up`, `vatra status`, `vatra down`: the home's own server, worker and deployments."""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console

from flows.commands.session import print_json
from flows.prefect_home import use_home, use_server
from flows.refusals import refusals
from flows.services import Service, Services, left_behind, live_server, read_services, services_lock
from flows.starting import Say, bring_up, take_down
from schemas.errors import UsageError, VatraError
from storage.home import Home, name_home, open_home

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

SILENT_FOR = 1.5  # seconds after which a step that is not over says so again


def up(given: argparse.Namespace) -> int:
    """Start what is missing; tell the addresses."""
    if given.port is not None and not 1 <= given.port <= 65_535:
        raise UsageError("a port is a number from 1 to 65535", where="--port")
    home = open_home(given.home)
    use_home(home)
    console, begun = _console(given), time.monotonic()
    with (
        _telling(console) as say,
        services_lock(home, lambda: say("waiting for another `vatra up` or `down`")),
    ):
        started = bring_up(home, given.port, say)
    services = started.services
    made = [
        name
        for name, new in (
            ("server", started.new_server),
            ("worker", started.new_worker),
            ("deployments", started.new_deployments),
        )
        if new
    ]
    seconds = time.monotonic() - begun
    console.print(
        f"Started  {', '.join(made)} in {seconds:.1f} s"
        if made
        else "Started  nothing: all of it runs already"
    )
    if started.swept:
        console.print(f"         {started.swept} runs that had died without a word were marked as such")
    console.print(f"UI       {services.address}")
    console.print(f"API      {services.api_url}")
    console.print("Stop it with `vatra down`; see what runs with `vatra status`.")
    return print_json(given, {**_described(home, services), "started": made, "seconds": round(seconds, 1)})


def down(given: argparse.Namespace) -> int:
    """Stop what `up` started, and nothing else."""
    home, console = name_home(given.home), _console(given)
    if not home.path.is_dir():
        console.print("Nothing was running.")
        return print_json(given, {"stopped": []})
    home = open_home(given.home)
    use_home(home)
    with (
        _telling(console) as say,
        services_lock(home, lambda: say("waiting for another `vatra up` or `down`")),
    ):
        _refuse_when_needed(home)
        stopped = take_down(home, say)
    for name in stopped:
        console.print(f"Stopped  {name}")
    if not stopped:
        console.print("Nothing was running.")
    return print_json(given, {"stopped": stopped})


def status(given: argparse.Namespace) -> int:
    """What runs, since when; runs under way; what comes next."""
    home = name_home(given.home)
    use_home(home)
    console = _console(given)
    services = live_server(home)
    told = _described(home, services)
    if services is None:
        console.print(f"Nothing runs for {home.path}{_why(home)}. Start it with `vatra up`.")
        return print_json(given, told)
    console.print(f"Server   {services.address}  since {told['server']['since']}")
    worker = services.worker if services.worker_runs else None
    console.print(f"Worker   since {worker.since}" if worker else "Worker   none: `vatra up` starts one")
    use_server(services.api_url)
    from prefect.client.orchestration import get_client

    with refusals("asking what runs"), get_client(sync_client=True) as client:
        runs, coming = _under_way(client), _next(client)
    for run in runs:
        console.print(f"Run      {run['name']}  {run['flow']}, {run['state']} since {run['since']}")
    if not runs:
        console.print("Runs     none under way")
    if coming:
        console.print(f"Next     {coming['flow']} at {coming['at']}")
    return print_json(given, {**told, "runs": runs, "next": coming})


def _described(home: Home, services: Services | None) -> dict[str, Any]:
    if services is None:
        return {"home": str(home.path), "server": None, "worker": None, "ui": None, "api": None}
    worker = services.worker if services.worker_runs else None
    return {
        "home": str(home.path),
        "ui": services.address,
        "api": services.api_url,
        "server": _process(services.server),
        "worker": _process(worker),
    }


def _process(service: Service | None) -> dict[str, Any] | None:
    return {"pid": service.mark.pid, "since": service.since} if service else None


def _why(home: Home) -> str:
    if left_behind(home):
        return ": the home was moved since `vatra up`"
    before = read_services(home)
    if before is None or before.server is None:
        return ""
    return ": its server does not answer" if before.server_runs else ": its server has ended by itself"


def _refuse_when_needed(home: Home) -> None:
    """A build on the terminal needs the server to its end."""
    services = live_server(home)
    if services is None:
        return
    use_server(services.api_url)
    from prefect.client.orchestration import get_client

    from flows.processes import process_of
    from storage.processes import is_running

    with refusals("asking what runs"), get_client(sync_client=True) as client:
        for run in _read_runs(client, ["RUNNING"], "START_TIME_DESC"):
            mark = process_of(run)
            if run.deployment_id is None and mark is not None and is_running(mark):
                raise VatraError(
                    f"a command is at work on this server (run {run.name}, process {mark.pid})",
                    fix="Let it finish or stop it, then run `vatra down` again.",
                )


def _under_way(client: SyncPrefectClient) -> list[dict[str, Any]]:
    runs = _read_runs(client, ["RUNNING", "PENDING", "CANCELLING"], "START_TIME_DESC")
    return [{**_told(client, run), "state": run.state_name, "since": since(run)} for run in runs]


def since(run: FlowRun) -> str | None:
    """When it began; for one that waits for its process, when it began to wait."""
    return _time(run.start_time or (run.state.timestamp if run.state else None))


def _next(client: SyncPrefectClient) -> dict[str, Any] | None:
    """The next scheduled run but for the sweep, which comes every ten minutes."""
    for run in _read_runs(client, ["SCHEDULED"], "NEXT_SCHEDULED_START_TIME_ASC"):
        told = _told(client, run)
        if told["flow"] != "maintain/sweep":
            return {**told, "at": _time(run.next_scheduled_start_time)}
    return None


def _read_runs(client: SyncPrefectClient, states: list[str], order: str) -> list[FlowRun]:
    from prefect.client.schemas.filters import FlowRunFilter
    from prefect.client.schemas.sorting import FlowRunSort

    wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": states}}})
    return client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort(order), limit=200)


def _told(client: SyncPrefectClient, run: FlowRun) -> dict[str, Any]:
    flow = client.read_flow(run.flow_id).name
    deployed = f"/{client.read_deployment(run.deployment_id).name}" if run.deployment_id else ""
    return {"name": run.name, "flow": f"{flow}{deployed}"}


def _time(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat(timespec="seconds") if moment else None


def _console(given: argparse.Namespace) -> Console:
    return Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)


@contextmanager
def _telling(console: Console) -> Iterator[Say]:
    """A line per step, and a sign of life while a step takes long."""
    over = threading.Event()
    current: list[tuple[str, float]] = []

    def say(what: str) -> None:
        current[:] = [(what, time.monotonic())]
        console.print(f"… {what}")

    def remind() -> None:
        while not over.wait(SILENT_FOR):
            for what, begun in current:
                console.print(f"… {what} ({time.monotonic() - begun:.0f} s)")

    ticker = threading.Thread(target=remind, daemon=True)
    ticker.start()
    try:
        yield say
    finally:
        over.set()
        ticker.join()
