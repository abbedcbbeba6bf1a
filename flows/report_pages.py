"""The pages behind `vatra report --serve`: all builds and all that was trained, each one's report, validation results.

Everything is read-only, asks no other host for anything and runs no script. The browser is told so with strict
headers on every answer, and a Host that is not this machine is refused, so that a page from elsewhere cannot read
the reports by pointing its own name at 127.0.0.1.
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flows.stage_names import STAGE_NAMES
from schemas.errors import StoreError, UsageError, VatraError
from storage.catalog import read_build
from storage.home import Home
from tasks.overview import ADDRESSABLE, Overview, validations_of
from tasks.reports import render_builds, render_problem, render_validation_page
from tasks.trained_lines import trained_lines
from tasks.training_kinds import LORA, NOVA, TrainingKind

HOSTS = ("127.0.0.1", "localhost")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
POLICY = "default-src 'none'; style-src {style}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
NO_STYLE = POLICY.format(style="'none'")
#: The bars of a report have their widths in style attributes.
INLINE_STYLE = POLICY.format(style="'unsafe-inline'")
_STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class StrictHeaders:
    """Puts the headers on every answer, refusals and errors included; a page's own policy stays."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""

        async def send_strictly(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Content-Security-Policy", NO_STYLE)
            await send(message)

        await self._app(scope, receive, send_strictly if scope["type"] == "http" else send)


class ReportPages:
    """What the addresses answer. Requests come from several threads."""

    def __init__(self, home: Home) -> None:
        self._home, self._overview = home, Overview(home.store, STAGE_NAMES)
        self._lock = threading.Lock()

    def builds(self, request: Request) -> Response:
        """`/`: the list."""
        with self._lock:
            lines = self._overview.lines()
        trained = (trained_lines(self._home.store, kind) for kind in (LORA, NOVA))
        return _page(render_builds(lines, str(self._home.path), *trained))

    def report(self, request: Request) -> Response:
        """`/builds/<build>`: the report as it was written, or made again from the store."""
        build = _build(request)
        path = self._home.reports / f"{build}.html"
        with self._lock:  # two requests for one report are made once
            if not path.is_file():
                self._make(build)
            page = path.read_bytes()
        return HTMLResponse(page, headers={"Content-Security-Policy": INLINE_STYLE})

    def adapter(self, request: Request) -> Response:
        """`/adapters/<name>`: the page of an adapter's run, as it was written, or made again from the artifact."""
        return self._trained(request, LORA)

    def nova(self, request: Request) -> Response:
        """`/nova/<name>`: the same of a NOVA's run."""
        return self._trained(request, NOVA)

    def _trained(self, request: Request, kind: TrainingKind) -> Response:
        name: str = request.path_params["trained"]
        line = next((one for one in trained_lines(self._home.store, kind) if one.name == name), None)
        if line is None:
            raise UsageError(f"there is no {kind.word} of this name")
        if line.problem:
            raise StoreError(f"the {kind.word} {name} cannot be shown: {line.problem}")
        path = kind.page_of(self._home, name)
        with self._lock:
            if not path.is_file():
                path = _make_page(self._home, kind, name)
            page = path.read_bytes()
        return HTMLResponse(page, headers={"Content-Security-Policy": INLINE_STYLE})

    def validation(self, request: Request) -> Response:
        """`/builds/<build>/validation`: what every expectation said."""
        build = _build(request)
        record = read_build(self._home.store, build)
        found = validations_of(self._home.store, record, STAGE_NAMES)
        return _page(render_validation_page(found, f"Build {build}"))

    def _make(self, build: str) -> None:
        from flows.history import report_again  # Prefect takes seconds to import

        record = read_build(self._home.store, build)
        if record.build != build:
            raise UsageError(f"the plan of {build} names another build: it is damaged")
        report_again(self._home, build)


def report_app(home: Home) -> ASGIApp:
    """The application, for any ASGI server."""
    pages = ReportPages(home)
    made = Starlette(
        routes=[
            Route("/", pages.builds, methods=["GET"]),
            Route("/builds/lora-{trained}.html", _as_served("adapters"), methods=["GET"]),
            Route("/builds/nova-{trained}.html", _as_served("nova"), methods=["GET"]),
            Route("/builds/{build}", pages.report, methods=["GET"]),
            Route("/builds/{build}/validation", pages.validation, methods=["GET"]),
            Route("/adapters/{trained}", pages.adapter, methods=["GET"]),
            Route("/nova/{trained}", pages.nova, methods=["GET"]),
            Route("/favicon.ico", lambda request: Response(status_code=204), methods=["GET"]),
        ],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=list(HOSTS), www_redirect=False)],
        exception_handlers={UsageError: _answer(404), VatraError: _answer(500), OSError: _unreadable,
                            HTTPException: _refused},
    )  # fmt: skip
    made.router.redirect_slashes = False
    return StrictHeaders(made)


def _make_page(home: Home, kind: TrainingKind, name: str) -> Path:
    """The page of a run, made again from its artifact; the trainers' modules take a moment to import."""
    if kind is NOVA:
        from tasks.nova import find_nova

        return find_nova(home, name).write_page()
    from tasks.adapters import find_adapter

    return find_adapter(home, name).write_page()


def _as_served(place: str) -> Callable[[Request], Response]:
    """A build's page links the pages of what was trained from its corpus as files beside it."""
    return lambda request: RedirectResponse(f"/{place}/{request.path_params['trained']}")


def _build(request: Request) -> str:
    """The build that the address names. Raises UsageError when nothing can be called that."""
    build: str = request.path_params["build"]
    # `latest` would be another build tomorrow: an address names one for ever.
    if not ADDRESSABLE.fullmatch(build) or build == "latest":
        raise UsageError("no build can have this name")
    return build


def _page(html: str, status: int = 200) -> Response:
    """A page whose one style sheet is allowed by its digest."""
    digests = [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in _STYLE.findall(html)]
    style = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return HTMLResponse(html, status, {"Content-Security-Policy": POLICY.format(style=style)})


def _answer(status: int) -> Callable[[Request, Exception], Response]:
    def answer(request: Request, error: Exception) -> Response:
        title = "Not found" if status == 404 else "This cannot be shown"
        return _page(render_problem(title, str(error)), status)

    return answer


def _unreadable(request: Request, error: Exception) -> Response:
    told = f"A file behind this page is gone or cannot be read ({type(error).__name__})."
    return _page(render_problem("This cannot be shown", told), 500)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = {404: "There is no such page.", 405: "These pages can only be read."}
    title = "Not found" if error.status_code == 404 else "Refused"
    answer = _page(render_problem(title, told.get(error.status_code, error.detail)), error.status_code)
    answer.headers.update(error.headers or {})
    return answer
