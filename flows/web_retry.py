"""Asks Prefect's server again when its database was busy, so that nobody at a browser has to.

SQLite refuses a transaction at once, whatever its time-out, when another one wrote between its reading and its
writing. Prefect answers 503 then and rolls back; its own client asks again, its UI does not and says "Unknown error".
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

from sqlalchemy.exc import SQLAlchemyError

from flows.web_guard import App, Message, Receive, Scope, Send

#: Seconds before each further try.
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
LARGEST_BODY = 4 << 20  # bytes of a request that are held for another try; larger ones get one try


class WebRetry:
    """An ASGI application around Prefect's: an answer that says "database busy" is not passed on but tried again."""

    def __init__(self, app: App, pauses: tuple[float, ...] = PAUSES) -> None:
        self._app, self._pauses = app, pauses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, at the last try whatever the answer is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = [await receive()]
        size = len(request[0].get("body", b""))
        while request[-1].get("more_body") and size <= LARGEST_BODY:
            request.append(await receive())
            size += len(request[-1].get("body", b""))
        whole = not request[-1].get("more_body")
        for pause in self._pauses if whole else ():
            answer = _Answer(send)
            try:
                await self._app(_copy(scope), _replay(request, receive), answer.send)
            except SQLAlchemyError:  # Starlette answers, and then raises what it answered for
                if not answer.busy:
                    raise
            if not answer.busy:
                return
            await asyncio.sleep(pause)
        await self._app(_copy(scope), _replay(request, receive), send)


def _copy(scope: Scope) -> Scope:
    """The request for one try: what Prefect writes into it stays with that try."""
    return {**scope, "state": dict(scope.get("state", {}))}


def _replay(request: list[Message], receive: Receive) -> Receive:
    """The request's body once more, and then what the browser says further (that it left)."""
    left = list(request)

    async def again() -> Message:
        return left.pop(0) if left else await receive()

    return again


class _Answer:
    """Passes an answer on, but holds one of status 503 back until it is known whether it says "database busy"."""

    def __init__(self, send: Send) -> None:
        self._send, self._held = send, list[Message]()
        self.busy = False

    async def send(self, message: Message) -> None:
        starts = message["type"] == "http.response.start"
        if not self._held and not (starts and message["status"] == 503):
            await self._send(message)
            return
        self._held.append(message)
        if starts or message.get("more_body"):
            return
        self.busy = _says_busy(b"".join(part.get("body", b"") for part in self._held))
        if not self.busy:
            for part in self._held:
                await self._send(part)
        self._held = []


def _says_busy(body: bytes) -> bool:
    with suppress(ValueError):
        return bool(json.loads(body) == {"exception_message": "Service Unavailable"})
    return False
