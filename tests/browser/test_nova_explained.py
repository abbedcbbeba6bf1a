"""The page of `vatra nova explain` in a real browser: maps are exchanged without a script, and no text acts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed (dev extra)")
from tasks.reports.nova_explained import render_explanation
from tests.browser.test_reports import ATTACKS
from tests.browser.watching import watch
from tests.tasks.reports.explanations import explained

DRAWN = "node => getComputedStyle(node).backgroundImage"


@pytest.fixture
def page_of(tmp_path: Path) -> Any:
    def write(labels: list[str], members: list[str]) -> str:
        path = tmp_path / "page.html"
        text = render_explanation(explained(labels, members), "mine", "user", 1, 2)
        path.write_text(text, "utf-8")
        return path.as_uri()

    return write


@pytest.mark.parametrize("width", [1280, 390])
def test_a_hostile_text_is_only_shown(browser: Any, page_of: Any, width: int) -> None:
    address = page_of(ATTACKS * 8, ["nova", ATTACKS[0], ATTACKS[1]])
    watched = watch(browser, width, offline=True)
    page = watched.open(address)
    assert ATTACKS[0] in page.locator(".coloured").inner_text()
    watched.assert_harmless()
    assert watched.overflow <= 0
    assert watched.requests == [address]


def test_a_click_makes_another_map_large(browser: Any, page_of: Any) -> None:
    watched = watch(browser, offline=True)
    page = watched.open(page_of([f"t{number}" for number in range(200)], ["nova", "sora"]))
    stage = page.locator(".stage")
    for anchor in ("map-1-2", "map-0-1", "map-1-1"):
        page.locator(f"label:has(#{anchor})").click()
        drawn = stage.evaluate(DRAWN)
        assert drawn.startswith('url("data:image/png')
        assert drawn == page.locator(f".map.{anchor}").evaluate(DRAWN)
        assert stage.evaluate("node => node.getBoundingClientRect().width") > 300
    watched.assert_harmless()


def test_labels_of_200_tokens_do_not_lie_on_one_another(browser: Any, page_of: Any) -> None:
    watched = watch(browser, offline=True)
    page = watched.open(page_of([f"token{number}" for number in range(200)], ["nova", "sora"]))
    places = page.locator("#members svg .token").evaluate_all(
        "nodes => nodes.map(node => [node.getBoundingClientRect().right, parseFloat(getComputedStyle(node).fontSize)])"
    )
    assert len(places) == 200
    steps = [after[0] - before[0] for before, after in pairwise(places)]
    assert min(steps) > 9  # slanted: a line needs less than its height across
    assert {size for _, size in places} == {11.0}
