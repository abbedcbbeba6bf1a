"""Prefect's settings for a home: its own run database and server, no telemetry, quiet on the terminal.

Must be called before Prefect is imported for the first time.
"""

from __future__ import annotations

import os
import sys

from schemas.errors import VatraError
from storage.home import Home


def use_home(home: Home) -> None:
    """Point Prefect at the home. Raises VatraError when Prefect was imported already with another home."""
    wanted = {
        "PREFECT_HOME": str(home.prefect),
        # Never a server that Prefect starts by itself: the run would land in a database that nobody looks at.
        "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
        # Only `vatra fetch` downloads, and it does not come this way.
        "HF_HUB_OFFLINE": "1",
        # Our own lines are what a person reads; the run's log is in the database.
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    }
    if "prefect" in sys.modules and os.environ.get("PREFECT_HOME") != wanted["PREFECT_HOME"]:
        raise VatraError("Prefect was started for another home in this process")
    for name, value in wanted.items():
        os.environ.setdefault(name, value) if name.startswith("PREFECT_LOGGING") else os.environ.update(
            {name: value}
        )
    os.environ.pop("PREFECT_API_URL", None)


def use_server(api_url: str) -> None:
    """Point Prefect at the server of this command."""
    os.environ["PREFECT_API_URL"] = api_url
