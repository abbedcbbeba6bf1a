"""What `vatra up` started for a home: `prefect/services.json`, and whether it is still there.

A process is known by its mark (storage/processes.py), never by its pid alone; a server is ours when its process is
and when it says that it serves this home. Imports nothing of Prefect: `vatra status` is quick.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from flows.web_guard import IDENTITY_PATH
from schemas.errors import VatraError
from storage.home import Home
from storage.processes import ProcessMark, is_running, mark_process

LOCK_WITHIN = 120  # seconds that one `vatra up` or `down` waits for another


class Service(BaseModel):
    """One process that was started, and when."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    mark: ProcessMark
    since: str

    @property
    def running(self) -> bool:
        """Whether exactly this process is still there."""
        return is_running(self.mark)


class Services(BaseModel):
    """The contents of `services.json`; after `vatra down` the port and what was deployed are still known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    home: str
    port: int
    server: Service | None = None
    worker: Service | None = None
    deployed: str | None = None

    @property
    def server_runs(self) -> bool:
        """Whether the server's process is still there."""
        return self.server is not None and self.server.running

    @property
    def worker_runs(self) -> bool:
        """Whether the worker's process is still there."""
        return self.worker is not None and self.worker.running

    @property
    def address(self) -> str:
        """What a browser is given."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """What Prefect's client is given."""
        return f"{self.address}/api"


def new_service(pid: int) -> Service | None:
    """A process that was just started; None when it is gone already."""
    mark = mark_process(pid)
    since = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Service(mark=mark, since=since) if mark else None


def read_services(home: Home) -> Services | None:
    """What was written last; None when nothing was, or when it is not of this home (moved, copied, damaged)."""
    found = _read(_path(home.path))
    return found if found and found.home == str(home.path) else None


def left_behind(home: Home) -> Services | None:
    """What runs still for this home from before it was moved. Not what belongs to the home that it was copied from."""
    found = _read(_path(home.path))
    if found is None or found.home == str(home.path):
        return None
    return None if _read(_path(Path(found.home))) == found else found


def write_services(home: Home, services: Services) -> None:
    """Replace the file as a whole."""
    path = _path(home.path)
    temporary = path.with_name(f".services-{os.getpid()}.json")
    with temporary.open("w", encoding="utf-8") as sink:
        sink.write(services.model_dump_json(indent=1))
        sink.flush()
        os.fsync(sink.fileno())
    temporary.replace(path)


def live_server(home: Home) -> Services | None:
    """The services when their server runs, is ours and answers; otherwise None."""
    services = read_services(home)
    if services is None or not services.server_runs:
        return None
    said = ask_identity(services.port)
    return services if said and said.get("home") == str(home.path) else None


def worker_is_up(home: Home) -> bool:
    """Whether this process's runs are on the home's server, and its worker is there to take more."""
    services = read_services(home)
    if services is None or os.environ.get("PREFECT_API_URL") != services.api_url:
        return False
    return services.server_runs and services.worker_runs


def ask_identity(port: int, patience: float = 5.0) -> dict[str, Any] | None:
    """What a vatra server says of itself: `home` and `pid`. None when nothing, or something else, answers there."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{IDENTITY_PATH}", timeout=patience) as answer:
            said = json.loads(answer.read(4096))
    except (urllib.error.URLError, OSError, ValueError):
        return None
    return said if isinstance(said, dict) and "home" in said else None


@contextmanager
def services_lock(home: Home, on_wait: Callable[[], None]) -> Iterator[None]:
    """Only one `up` or `down` of a home at a time. Raises VatraError when another does not come to its end."""
    give_up = time.monotonic() + LOCK_WITHIN
    with (home.prefect / "services.lock").open("w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise VatraError(
                        "another `vatra up` or `vatra down` of this home does not come to its end",
                        where=str(home.path),
                        fix="Stop it and try again.",
                    ) from None
            if not told:
                on_wait()
                told = True
            time.sleep(0.1)
        yield


def _path(home: Path) -> Path:
    return home / "prefect" / "services.json"


def _read(path: Path) -> Services | None:
    try:
        return Services.model_validate_json(path.read_text("utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError):
        return None
