"""What commands share: Prefect set up for the home, progress on the terminal, the last line of `--json`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from flows.prefect_home import use_home, use_server
from flows.refusals import login_needed
from flows.run_server import RunServer, drain, unusable
from flows.services import live_server
from flows.streams import write_answer
from flows.terminal import TerminalListener
from storage.home import Home

if TYPE_CHECKING:
    from tasks.accounts import BuildReport


@contextmanager
def at_work(given: argparse.Namespace, home: Home) -> Iterator[TerminalListener]:
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
def server_for(home: Home) -> Iterator[RunServer | None]:
    """The home's server when `vatra up` started one (None: it answers already); else one for this command.

    That one starts while the build is planned; it is over the same database.
    """
    services = live_server(home)
    if services is not None:
        use_server(services.api_url)
        yield None
        return
    server = RunServer(home)
    use_server(server.url)
    with server:
        yield server


@contextmanager
def flow_runs(home: Home, server: RunServer | None, listener: TerminalListener) -> Iterator[None]:
    """The server answers; flows of this process send no heartbeat, whose thread they would wait for at their end."""
    if server is not None:
        listener.waiting("waiting for Prefect's run database")
        server.wait()
    from httpx import HTTPError, HTTPStatusError
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    try:
        with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}):
            yield
    except HTTPError as error:
        if isinstance(error, HTTPStatusError) and error.response.status_code == 401:
            raise login_needed() from None
        raise unusable(
            f"Prefect's run database cannot be used ({type(error).__name__})", home.prefect / "server.log"
        ) from error
    finally:
        drain()


def answer(given: argparse.Namespace, told: BuildReport) -> int:
    """Tell a build: the table for people, and the object of `--json`; returns the exit code."""
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    from flows.closing import print_closing

    print_closing(console, told)
    return print_json(given, told.summary.as_object())


def print_json(given: argparse.Namespace, value: dict[str, Any]) -> int:
    """The last line of standard output, when it was asked for; returns the exit code."""
    if given.json:
        write_answer(value)
    return 0
