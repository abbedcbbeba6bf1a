"""The report and the list of builds in a real browser: on a desk, on a phone, and with a hostile export behind them."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (dev extra)")
from tests.browser.watching import MARK, watch

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = f"<script>window.{MARK}=1;alert(1)</script>"
#: Everything people and attackers put into exports; each would leave a mark, open a dialog or ask another host.
ATTACKS = [
    SCRIPT,
    f'"\'><img src=http://evil.example/a.png onerror="window.{MARK}=1;alert(2)">',
    f"</style></title></pre></bdi></textarea><svg onload=window.{MARK}=1><iframe src=http://evil.example/>",
    "![x](http://evil.example/b.png) <http://evil.example/c>",
    f'[press](javascript:window.{MARK}=1) <a href="javascript:window.{MARK}=1">press</a>',
    "<meta http-equiv=refresh content='0;url=http://evil.example/d'><base href=http://evil.example/>",
    "<link rel=stylesheet href=http://evil.example/e.css><style>@import 'http://evil.example/f.css'</style>",
    "\u202egnp.exe\u2066 \u200b\ufeff\u2028",
    "\x1b]0;owned\x07\x1b[2J\x1b[31m",
    "{{ 7 * 7 }}{% raw %}",
    "w" * 100_000,
    "e" + "\u0301" * 400,
]
FILE_NAME = "x\"'><img src=http:evil.example onerror=alert(3)>\u202e\x1b[31m.json"


def chat(number: int, attack: str) -> dict[str, Any]:
    """A conversation of generic form in which everything that can be named is named by the attacker."""
    said = f"Let us circle back. {attack} We circle back to winter {number}."
    named = {"name": attack[:200], "author": attack[:200]}
    return {
        "id": f"{number}{attack[:40]}",
        "title": attack,
        "model": attack[:200],
        "source": attack[:200],
        "messages": [
            {"role": "user", **named, "content": f"{attack} circle back {number}?"},
            {"role": "assistant", "model": attack[:200], "content": said},
            {"role": f"tool{attack[:80]}", "content": attack},
            {"role": "user", **named, "content": f"And what of summer {number}?"},
            {"role": "assistant", "content": f"It was a long one. {attack[:5_000]}"},
        ],
    }  # fmt: skip


@dataclass(frozen=True)
class Hostile:
    """A home in which a hostile export was built."""

    home: Path
    summary: dict[str, Any]

    @property
    def report(self) -> Path:
        return Path(self.summary["report"])


@pytest.fixture(scope="module")
def hostile(
    chromium: str, build: Callable[..., dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Hostile:
    folder, home = tmp_path_factory.mktemp("export"), tmp_path_factory.mktemp("home")
    chats = [chat(number, attack) for number, attack in enumerate(ATTACKS)]
    (folder / FILE_NAME).write_text(json.dumps(chats), "utf-8")
    (folder / f"notes{FILE_NAME}.txt").write_text(SCRIPT, "utf-8")
    rules = [
        {"name": attack[:300], "pattern": f"circle back.{{0,{place}}}"}
        for place, attack in enumerate(ATTACKS, 1)
    ]
    settings = folder.parent / "settings.yaml"
    # JSON is YAML; escapes keep the control characters legal.
    settings.write_text(
        json.dumps({"toxicity": {"scorer": "none"}, "blacklist": {"patterns": rules}}), "utf-8"
    )
    return Hostile(home, build(home, folder, "--settings", settings))


def test_the_watch_sees_what_it_is_there_for(browser: Any, tmp_path: Path) -> None:
    """Without this, a watch that sees nothing would let everything pass."""
    bad = tmp_path / "bad.html"
    bad.write_text(f"<img src=http://evil.example/a.png>{SCRIPT}<p style='width:3000px'>wide", "utf-8")
    watched = watch(browser)
    watched.open(bad.as_uri())
    assert watched.marked
    assert watched.dialogs == ["1"]
    assert watched.outside == ["http://evil.example/a.png"]
    assert any("ERR_" in complaint for complaint in watched.complaints)
    assert watched.overflow > 1000


@pytest.mark.parametrize("width", [1280, 390])
def test_a_report_opens_offline_on_a_desk_and_on_a_phone(browser: Any, hostile: Hostile, width: int) -> None:
    watched = watch(browser, width, offline=True)
    page = watched.open(hostile.report.as_uri())
    assert page.locator("h1").inner_text() == hostile.summary["build"]
    assert page.locator("#filtering tbody tr").count() > 5
    assert page.locator("blockquote").count() > 5, "hits of the rules are quoted"
    assert SCRIPT in page.locator("#rules").inner_text(), "what was said is shown as text"
    watched.assert_harmless()
    assert watched.overflow <= 0
    assert watched.requests == [hostile.report.as_uri()]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_list_leads_to_the_report(
    browser: Any, hostile: Hostile, serve: Callable[[Path], AbstractContextManager[str]], width: int
) -> None:
    with serve(hostile.home) as url:
        watched = watch(browser, width)
        page = watched.open(url)
        assert page.locator("table.builds tbody tr").count() == 1
        assert page.locator(".pill.state").inner_text() == "complete"
        colour = page.locator("body").evaluate("node => getComputedStyle(node).backgroundColor")
        assert colour == "rgb(250, 245, 236)", "the policy lets our own style act"
        assert watched.overflow <= 0
        page.locator("table.builds tbody th a").click()
        page.wait_for_url(f"{url}builds/{hostile.summary['build']}")
        watched.unfold()
        assert page.locator("h1").inner_text() == hostile.summary["build"]
        assert page.locator(".fill.kept").first.evaluate("node => node.getBoundingClientRect().width") > 0
        assert watched.overflow <= 0
        page.goto(f"{url}builds/{hostile.summary['build']}/validation")
        assert "expectations hold" in page.locator(".lead").inner_text()
        assert watched.overflow <= 0
        watched.assert_harmless()
        assert {re.sub(r"^(http://[^/]+/).*", r"\1", asked) for asked in watched.requests} == {url}


def test_a_page_from_elsewhere_cannot_frame_or_read_the_reports(
    browser: Any, hostile: Hostile, serve: Callable[[Path], AbstractContextManager[str]], tmp_path: Path
) -> None:
    with serve(hostile.home) as url:
        stranger = tmp_path / "stranger.html"
        stranger.write_text(
            f"<iframe src='{url}'></iframe><script>fetch('{url}').then(r => r.text())"
            ".then(t => document.title = t.length, () => document.title = 'refused')</script>",
            "utf-8",
        )
        watched = watch(browser)
        watched.page.goto(stranger.as_uri())
        watched.page.wait_for_function("document.title !== ''")
        assert watched.page.title() == "refused"
        assert watched.page.frames[1].locator("table.builds").count() == 0
        assert any("frame-ancestors" in complaint for complaint in watched.complaints)


def test_terminal_and_artifact_obey_nothing_of_a_hostile_export(hostile: Hostile) -> None:
    shown = str(hostile.summary["terminal"])
    assert "Filtering Statistics" in shown
    assert not set(shown) & {
        chr(code) for code in (*range(9), *range(11, 32), 0x202E, 0x2066, 0x200B, 0xFEFF)
    }
    assert max(map(len, shown.splitlines())) < 2_000
    with sqlite3.connect(hostile.home / "prefect/prefect.db") as database:
        (artifact,) = database.execute("select data from artifact where key = 'build-counts'").fetchone()
        logs = " ".join(text for (text,) in database.execute("select message from log"))
    markdown = json.loads(artifact)
    assert "Kept" in markdown
    for text in (markdown, logs):
        assert "<script" not in text
        assert "evil.example" not in text
        assert "www" not in text
        assert "circle back" not in text
