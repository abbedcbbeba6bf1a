"""`vatra report --serve`: the reports as pages on this machine, until Ctrl-C."""

from __future__ import annotations

import argparse
import errno
import os
import socket
from contextlib import suppress

from rich.console import Console

from flows.commands.session import print_json
from flows.prefect_home import use_home
from schemas.errors import UsageError
from storage.home import open_home

HOST = "127.0.0.1"


def serve_reports(given: argparse.Namespace) -> int:
    """Serve until interrupted; the address is printed, and is the object of `--json`."""
    home = open_home(given.home)
    use_home(home)
    from storage.catalog import read_build

    page = "/" if given.build == "latest" else f"/builds/{read_build(home.store, given.build).build}"
    with _listening(given.port or 0) as listener:
        url = f"http://{HOST}:{listener.getsockname()[1]}{page}"
        import uvicorn

        from flows.report_pages import report_app

        server = uvicorn.Server(
            uvicorn.Config(
                report_app(home),
                lifespan="off",
                ws="none",
                access_log=False,
                log_level="error",
                server_header=False,
                timeout_graceful_shutdown=2,
            )
        )
        console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
        console.print(f"Reports  {url}   (Ctrl-C ends this)")
        print_json(given, {"url": url, "home": str(home.path)})
        with suppress(KeyboardInterrupt):  # how it is meant to end
            server.run(sockets=[listener])
        console.print("The reports are no longer served.")
    return 0


def _listening(port: int) -> socket.socket:
    """A listening socket on the loopback interface. Raises UsageError when the port cannot be had."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port used a moment ago is free
    try:
        made.bind((HOST, port))
        made.listen(64)
    except (OSError, OverflowError) as error:
        made.close()
        number = getattr(error, "errno", None)
        told = "is in use" if number == errno.EADDRINUSE else f"cannot be used ({_reason(number)})"
        raise UsageError(
            f"port {port} {told}", where="--port", fix="Choose another, or leave --port out for a free one."
        ) from None
    return made


def _reason(number: int | None) -> str:
    return os.strerror(number).lower() if number else "ports go from 1 to 65535"
