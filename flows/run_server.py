"""Prefect's API over the home's run database: a server process of our own, on a socket that is bound already.

Prefect would start one by itself for a command, but that one outlives a killed command and picks its port by chance.
Ours leaves when the command is gone; the one that `vatra up` starts stays.

    python -m flows.run_server FD PARENT     (what the child process runs; PARENT 0: nobody's child, with the UI)
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from flows.prefect_home import ROOT, server_environment
from schemas.errors import StoreError
from storage.home import Home

if TYPE_CHECKING:
    from flows.web_guard import WebGuard

READY_WITHIN = 180  # seconds; a slow disk migrating a fresh database takes some tens
LEAST_SPACE = 1 << 20  # bytes on the disk, below which that is what is wrong


class RunServer:
    """A context: the server is started at once and stopped at the end; `wait` until it answers."""

    def __init__(self, home: Home) -> None:
        self._home, self._log = home, home.prefect / "server.log"
        self._socket = bind(0)
        self._port: int = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/api"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunServer:
        own = {"PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        environment = server_environment(self._home, self._port, ui=False) | own
        self._process = start_server(self._socket, os.getpid(), environment, self._log)
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait(self) -> None:
        """Until the server answers. Raises StoreError when it ends or takes too long."""
        assert self._process is not None
        give_up = time.monotonic() + READY_WITHIN
        while time.monotonic() < give_up and self._process.poll() is None:
            if is_healthy(self.url):
                return
            time.sleep(0.05)
        raise unusable("Prefect's server did not start", self._log)


def unusable(what: str, log: Path) -> StoreError:
    """The error when Prefect cannot work over its database; a full disk is the usual cause, and then not in the log."""
    with suppress(OSError):
        if shutil.disk_usage(log.parent).free < LEAST_SPACE:
            return StoreError(
                f"{what}: the disk is full",
                where=str(log.parent),
                fix="Free some space and run the same command again.",
            )
    return StoreError(
        what, where=str(log), fix="This file says why; a home that was moved or deleted is one cause."
    )


def bind(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1 (port 0: any that is free). Raises OSError when the port is taken."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        # Or a port could not be used again for a minute after `vatra down`. It lets nobody share a port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", port))
        listening.listen(128)
    except OSError:
        listening.close()
        raise
    return listening


def start_server(
    listening: socket.socket, parent: int, environment: dict[str, str], log: Path
) -> subprocess.Popen[bytes]:
    """A server process on the socket; with a `parent` (a pid) it leaves when that is gone."""
    descriptor = listening.fileno()
    with log.open("wb") as sink:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.run_server", str(descriptor), str(parent)],
            pass_fds=(descriptor,),
            env={**environment, "PYTHONPATH": python_path()},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            start_new_session=True,  # Ctrl-C is for the command, which still has to tell the server
        )


def python_path() -> str:
    """Where a child process finds our packages, whatever folder it is started in."""
    return os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])


def is_healthy(api_url: str, patience: float = 2.0) -> bool:
    """Whether a server answers there, within `patience` seconds."""
    try:
        with urllib.request.urlopen(f"{api_url}/health", timeout=patience) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def drain() -> None:
    """Send what Prefect still holds of logs and events in this process; then the server may stop."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for service in (APILogWorker, EventsWorker):
        service.drain_all(timeout=30)


def serve(descriptor: int, parent: int) -> None:
    """Run the API on an inherited socket until told to stop, or until the parent is gone."""
    if parent:
        threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    import uvicorn

    uvicorn.run(
        "flows.run_server:guarded_app",
        factory=True,
        fd=descriptor,
        log_level="error",
        lifespan="on",
        timeout_graceful_shutdown=5,  # open pages keep a connection for ever
    )


def guarded_app() -> WebGuard:
    """Prefect's application behind our guard."""
    from prefect.server.api.server import create_app

    from flows.web_guard import WebGuard
    from flows.web_retry import WebRetry
    from flows.web_start import WebStart

    app = WebStart(WebRetry(create_app()), Path(os.environ["PREFECT_HOME"]) / "starting.lock")
    return WebGuard(app, {"home": os.environ.get("VATRA_HOME"), "pid": os.getpid()})


def _leave_with(parent: int) -> None:
    gone = threading.Event()
    while os.getppid() == parent:
        gone.wait(0.5)
    os._exit(1)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
