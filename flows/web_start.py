"""Servers of one home start one after the other: two that migrate a fresh run database at once break each other's work.

Two first builds of a home at once are two servers. Prefect migrates as it starts up, and knows of no other process.
"""

from __future__ import annotations

import fcntl
from contextlib import ExitStack
from pathlib import Path

from flows.web_guard import App, Message, Receive, Scope, Send

#: What the server says when it has started, or could not.
_STARTED = ("lifespan.startup.complete", "lifespan.startup.failed")


class WebStart:
    """An ASGI application around Prefect's: it starts up under the lock, which goes with the process at the latest."""

    def __init__(self, app: App, lock: Path) -> None:
        self._app, self._lock = app, lock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on; a start waits until no other server of the home is starting."""
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        with ExitStack() as held:
            lock = held.enter_context(self._lock.open("w"))
            fcntl.flock(lock, fcntl.LOCK_EX)  # nothing else is to be done in this process meanwhile

            async def released(message: Message) -> None:
                if message["type"] in _STARTED:
                    held.close()
                await send(message)

            await self._app(scope, receive, released)
