"""What stands between a browser and Prefect's server: headers, and which names the server answers to.

The UI shows text that comes from outside (artifacts, parameters, logs). The policy below lets it load nothing but
the server's own files, so that a picture in an artifact cannot tell another host that it was looked at. The check of
the Host header keeps pages of other sites from reaching a server on this machine under a name of their own.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Where the server says whose it is.
IDENTITY_PATH = "/vatra"
NAMES = ("127.0.0.1", "localhost")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # the UI sets styles on elements
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class WebGuard:
    """An ASGI application around Prefect's."""

    def __init__(self, app: App, identity: dict[str, Any]) -> None:
        self._app = app
        self._identity = json.dumps(identity).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on with headers added."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
        elif not _known_name(scope):
            await _refuse(scope, send)
        elif scope["type"] == "http" and scope["path"] == IDENTITY_PATH:
            await _answer(send, 200, self._identity)
        else:
            await self._app(scope, receive, _with_headers(send))


def _known_name(scope: Scope) -> bool:
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    return len(hosts) == 1 and hosts[0].partition(":")[0].lower() in NAMES


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await _answer(send, 421, b'{"detail": "This server answers to 127.0.0.1 and localhost only."}')


async def _answer(send: Send, status: int, body: bytes) -> None:
    kind = (b"content-type", b"application/json")
    await send({"type": "http.response.start", "status": status, "headers": [kind, *HEADERS]})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            theirs = [(name, value) for name, value in message["headers"] if name.lower() not in ours]
            message = {**message, "headers": [*theirs, *HEADERS]}
        await send(message)

    return guarded
