"""A real Chromium, where there is one; homes to look at, and the server of their reports.

Playwright's event loop is that of its thread, so no browser outlives a module: other tests have loops of their own.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"),
    *("--disable-sync", "--no-first-run"),
]


def environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VATRA_"))}
    return {**kept, "COLUMNS": "100", **more}


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip("there is no Chromium on this machine (Debian: apt-get install chromium)")
    return found


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[object]:
    """A running Chromium; the context that is to be watched comes from `watching.watch`."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (dev extra)")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


@contextmanager
def _serve(home: Path) -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "report", "--serve", "--json", "--home", str(home)],
        cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())["url"]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.fixture(scope="session")
def serve() -> Callable[[Path], AbstractContextManager[str]]:
    """`with serve(home) as url`: the pages of `vatra report --serve`."""
    return _serve


@pytest.fixture(scope="session")
def build() -> Callable[..., dict[str, object]]:
    """Runs `vatra build` and returns the object of --json."""

    def run(home: Path, *arguments: object) -> dict[str, object]:
        command = [sys.executable, "-m", "flows.cli", "build", *map(str, arguments)]
        done = subprocess.run(
            [*command, "--home", str(home), "--workers", "1", "--json"],
            cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return {**found, "terminal": done.stderr}

    return run
