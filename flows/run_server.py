"""Prefect's API for one command: a server process of our own over the home's run database.

Prefect would start one by itself, but that one outlives a killed command and picks its port by chance. Ours is
given a socket that is bound already, and leaves when its parent is gone.

    python -m flows.run_server FD PARENT     (what the child process runs)
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

from schemas.errors import StoreError

READY_WITHIN = 180  # seconds; a slow disk migrating a fresh database takes some tens
LEAST_SPACE = 1 << 20  # bytes on the disk, below which that is what is wrong


class RunServer:
    """A context: the server is started at once and stopped at the end; `wait` until it answers."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "server.log"
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(128)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/api"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> RunServer:
        descriptor = self._socket.fileno()
        own = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "flows.run_server", str(descriptor), str(os.getpid())],
                pass_fds=(descriptor,),
                env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"} | own,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the command, which still has to tell the server
            )
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
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        raise unusable("Prefect's server did not start", self.log)


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


def drain() -> None:
    """Send what Prefect still holds of logs and events in this process; then the server may stop."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for service in (APILogWorker, EventsWorker):
        service.drain_all(timeout=30)


def serve(descriptor: int, parent: int) -> None:
    """Run the API on an inherited socket until told to stop, or until the parent is gone."""
    threading.Thread(target=_leave_with, args=(parent,), daemon=True).start()
    import uvicorn

    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, fd=descriptor, log_level="error", lifespan="on"
    )


def _leave_with(parent: int) -> None:
    gone = threading.Event()
    while os.getppid() == parent:
        gone.wait(0.5)
    os._exit(1)


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]))
