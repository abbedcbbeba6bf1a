"""Prefect's settings for a home: its own run database and server, no telemetry, quiet on the terminal.

Must be called before Prefect is imported for the first time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from schemas.errors import VatraError
from storage.home import Home

#: Seconds between signs of life of a run that a worker started; Prefect allows no fewer.
HEARTBEAT_SECONDS = 30
#: The folder that holds `flows`, `tasks` and the rest: a checkout, or site-packages.
ROOT = Path(__file__).resolve().parents[1]
#: What a person may set of Prefect: everything else would lead runs into another database or server.
_KEPT = (
    "PREFECT_SERVER_API_AUTH_STRING",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL",
)


def use_home(home: Home) -> None:
    """Point Prefect at the home. Raises VatraError when Prefect was imported already with another home."""
    wanted = _settings(home)
    if "prefect" in sys.modules and os.environ.get("PREFECT_HOME") != wanted["PREFECT_HOME"]:
        raise VatraError("Prefect was started for another home in this process")
    for name in [name for name in os.environ if name.startswith("PREFECT_") and name not in _KEPT]:
        del os.environ[name]
    os.environ.update(wanted)
    # Our own lines are what a person reads; the run's log is in the database.
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "CRITICAL")


def use_server(api_url: str) -> None:
    """Point Prefect at the server of this command."""
    os.environ["PREFECT_API_URL"] = api_url


def server_environment(home: Home, port: int, *, ui: bool) -> dict[str, str]:
    """The whole environment of a server process over the home's run database."""
    address = f"http://127.0.0.1:{port}"
    return {
        **_environment(home),
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": f"sqlite+aiosqlite:///{home.prefect}/prefect.db",
        "PREFECT_SERVER_CSRF_PROTECTION_ENABLED": "true",
        # Nobody but the UI has to call from a browser, and it comes from the same address.
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": address,
        "PREFECT_SERVER_UI_ENABLED": str(ui).lower(),
        "PREFECT_SERVER_UI_API_URL": "/api",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        # In memory, a restarted server forgets who holds a slot, and the slot is lost.
        "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": "prefect.server.concurrency.lease_storage.filesystem",
        "VATRA_HOME": str(home.path),
    }


def worker_environment(home: Home, api_url: str) -> dict[str, str]:
    """The whole environment of the worker, and so of the runs that it starts."""
    return {
        **_environment(home),
        "PREFECT_API_URL": api_url,
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT_SECONDS),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_ENABLE_CANCELLATION": "true",
        "PREFECT_WORKER_WEBSERVER_HOST": "127.0.0.1",
        "VATRA_HOME": str(home.path),
        "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }


def _environment(home: Home) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return {**ours, **{name: os.environ[name] for name in _KEPT[:2] if name in os.environ}, **_settings(home)}


def _settings(home: Home) -> dict[str, str]:
    settings = {
        "PREFECT_HOME": str(home.prefect),
        # Never a server that Prefect starts by itself: the run would land in a database that nobody looks at.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        # Only `vatra fetch` downloads, and it does not come this way.
        "HF_HUB_OFFLINE": "1",
    }
    login = os.environ.get("PREFECT_SERVER_API_AUTH_STRING")
    if login and "PREFECT_API_AUTH_STRING" not in os.environ:
        settings["PREFECT_API_AUTH_STRING"] = login  # one variable for both sides is enough
    return settings
