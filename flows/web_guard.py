"""What stands between a browser and Prefect's server: headers, and which names the server answers to.

The UI shows text that comes from outside (artifacts, parameters, logs). The policy below lets it load nothing but
the server's own files, so that a picture in an artifact cannot tell another host that it was looked at. The check of
the Host header keeps pages of other sites from reaching a server on this machine under a name of their own.

Prefect's new UI asks an outside host how to record its users, whatever the server's settings say. The policy stops
that; a script that is put into its page keeps it from trying, so that no error stands in the browser's console. The
old UI is not offered: one is enough, and only the new one is tried.
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
ICON_PATHS = ("/favicon.ico", "/favicon-dark.ico")  # the UI's page asks for them, its files lack them
#: Icons that the UI's page asks for beside its folder instead of in it: of a run's state, and of its own.
_STATES = ("cancelled", "completed", "crashed", "failed", "pending", "running", "scheduled")
_SIZES = ("16x16", "16x16-dark", "32x32", "32x32-dark")
MISPLACED = {f"/{state}.svg": f"/v2/{state}.svg" for state in _STATES} | {
    f"/favicon-{size}.png": f"/v2/ico/favicon-{size}.png" for size in _SIZES
}
QUIET_PATH = "/vatra/quiet.js"
QUIET = b"""// Nobody is to be told how this page is used: such questions are answered here.
const ask = window.fetch.bind(window);
window.fetch = (input, ...more) => {
  const address = new URL(input instanceof Request ? input.url : String(input), location.href);
  return address.hostname.endsWith("amplitude.com") ? Promise.resolve(Response.json({})) : ask(input, ...more);
};
"""
NAMES = ("127.0.0.1", "localhost")
POLICY = "; ".join(
    (
        "default-src 'none'",
        # The graph of a run is drawn by PixiJS, which makes its shader code from text: without `unsafe-eval` there is
        # no graph. Scripts of a page's own text or of other hosts stay forbidden.
        "script-src 'self' 'unsafe-eval'",
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
        elif scope["type"] == "http" and scope["path"] == QUIET_PATH:
            await _answer(send, 200, QUIET, b"text/javascript")
        elif scope["type"] == "http" and scope["path"] in ICON_PATHS:
            await _answer(send, 204, b"")
        elif scope["type"] == "http" and scope["path"] in MISPLACED:
            path = MISPLACED[scope["path"]]
            there = {**scope, "path": path, "raw_path": path.encode()}
            await self._app(there, receive, _with_headers(send))
        elif scope["type"] == "http" and scope["path"] == "/ui-settings":
            await self._app(_plain(scope), receive, _rewritten(_with_headers(send), _offer_new_ui))
        elif scope["type"] == "http" and _wants_page(scope):
            await self._app(_plain(scope), receive, _rewritten(_with_headers(send), _quieten))
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


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"application/json") -> None:
    headers = [(b"content-type", kind), *HEADERS]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _wants_page(scope: Scope) -> bool:
    return any(name == b"accept" and b"text/html" in value for name, value in scope["headers"])


def _plain(scope: Scope) -> Scope:
    """The request as one whose answer must not be compressed, for it is to be read here."""
    return {**scope, "headers": [item for item in scope["headers"] if item[0] != b"accept-encoding"]}


def _offer_new_ui(body: bytes, kind: bytes) -> bytes:
    settings = json.loads(body)
    return json.dumps({**settings, "available_uis": ["v2"], "v1_base_url": None}).encode()


def _quieten(body: bytes, kind: bytes) -> bytes:
    script = f'<head><script src="{QUIET_PATH}"></script>'.encode()
    return body.replace(b"<head>", script, 1) if kind.startswith(b"text/html") else body


def _rewritten(send: Send, rewrite: Callable[[bytes, bytes], bytes]) -> Send:
    """Hold a good answer back until it is whole, and pass it on rewritten."""
    start: list[Message] = []
    parts: list[bytes] = []

    async def held(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.append(message)
            return
        parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        head, body = start[0], b"".join(parts)
        if head["status"] == 200:
            kinds = [value for name, value in head["headers"] if name.lower() == b"content-type"]
            body = rewrite(body, kinds[0] if kinds else b"")
        kept = [
            (name, value)
            for name, value in head["headers"]
            if name.lower() not in (b"content-length", b"etag")
        ]
        length = (b"content-length", str(len(body)).encode())
        await send({**head, "headers": [*kept, length]})
        await send({"type": "http.response.body", "body": body})

    return held


def _with_headers(send: Send) -> Send:
    async def guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = {name for name, _ in HEADERS}
            theirs = [(name, value) for name, value in message["headers"] if name.lower() not in ours]
            message = {**message, "headers": [*theirs, *HEADERS]}
        await send(message)

    return guarded
