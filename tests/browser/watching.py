"""A browser page that is watched: what it asked for, what it complained of, what tried to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, Request, Route

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
#: Set by every attack that these tests plant; a page in which a script ran has it.
MARK = "vatraWasHere"


@dataclass
class WatchedPage:
    """A page with everything that was seen of it. Requests to other hosts are cut off, and remembered."""

    page: Page
    requests: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    #: Those of the complaints that are errors.
    errors: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def open(self, address: str) -> Page:
        """Go there and wait until it is drawn; every `details` is opened."""
        self.page.goto(address)
        self.unfold()
        return self.page

    def unfold(self) -> None:
        """Open every `details`, so that what is folded is looked at too."""
        self.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")

    @property
    def marked(self) -> bool:
        """Whether a planted script ran."""
        return bool(self.page.evaluate(f"'{MARK}' in window || document.title.includes('{MARK}')"))

    @property
    def overflow(self) -> int:
        """Pixels by which the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))

    def assert_harmless(self) -> None:
        """Nothing ran, nothing was asked of another host, nothing was complained of."""
        assert not self.marked
        assert self.dialogs == []
        assert self.outside == []
        assert self.complaints == []


def watch(browser: Browser, width: int = 1280, offline: bool = False) -> WatchedPage:
    """A fresh page of this width in a context of its own, with every host but this machine cut off."""
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=offline)
    watched = WatchedPage(context.new_page())
    _cut_off(context, watched)
    page = watched.page
    page.on("request", lambda request: _note(request, watched))
    page.on("console", lambda message: _complain(message, watched))
    page.on("pageerror", lambda error: _fail(str(error), watched))
    page.on("dialog", lambda dialog: _dismiss(dialog, watched))
    return watched


def _cut_off(context: BrowserContext, watched: WatchedPage) -> None:
    def decide(route: Route) -> None:
        if _is_outside(route.request.url):
            route.abort()
        else:
            route.continue_()

    context.route("**/*", decide)
    context.on(
        "page", lambda page: watched.outside.append(f"window {page.url}") if page != watched.page else None
    )


def _is_outside(address: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme not in ("file", "data", "about", "blob") and parts.hostname not in LOOPBACK


def _note(request: Request, watched: WatchedPage) -> None:
    watched.requests.append(request.url)
    if _is_outside(request.url):
        watched.outside.append(request.url)


def _complain(message: ConsoleMessage, watched: WatchedPage) -> None:
    if message.type in ("error", "warning"):
        watched.complaints.append(message.text)
    if message.type == "error":
        watched.errors.append(message.text)


def _fail(error: str, watched: WatchedPage) -> None:
    watched.complaints.append(error)
    watched.errors.append(error)


def _dismiss(dialog: Dialog, watched: WatchedPage) -> None:
    watched.dialogs.append(dialog.message)
    dialog.dismiss()
