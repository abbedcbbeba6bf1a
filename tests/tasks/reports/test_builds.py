"""The page of all builds, and its trends."""

from __future__ import annotations

import itertools
import re

import pytest

from schemas.summary import CorpusCounts, ImportCounts, MessageCounts
from tasks.reports import BuildLine, render_builds, render_problem
from tasks.reports.charts import BOTTOM, HEIGHT, PLOT_HEIGHT
from tasks.reports.trends import SHOWN, draw_trends
from tests.tasks.reports.pages import HOSTILE, Page, assert_inert


def line(number: int, kept: int = 90, dropped: dict[str, int] | None = None, **more: object) -> BuildLine:
    dropped = {"too_short": 6} if dropped is None else dropped
    masked = 100 - kept - sum(dropped.values())
    values: dict[str, object] = {
        "build": f"b{number:03}",
        "created": f"2026-{1 + number // 28:02}-{1 + number % 28:02}T03:00:00+00:00",
        "imports": ImportCounts(seen=20, kept=20),
        "messages": MessageCounts(parsed={"user": 50, "assistant": 50}, kept=kept, masked=masked, dropped=dropped),
        "corpus": CorpusCounts(train=18, validation=1, test=1),
        "decided": "assemble",
    }  # fmt: skip
    return BuildLine(**(values | more))  # type: ignore[arg-type]


def test_a_row_says_what_came_of_a_build() -> None:
    page = render_builds([line(2, parent="b001", adapter="demo"), line(1)], "/home/ana/vatra")
    parsed = assert_inert(page)
    words = parsed.words
    assert "2 builds, 2 complete." in words
    assert "03 Jan 2026, 03:00 b002 again, from b001" in words
    assert (
        "100 messages 20 conversations 90.0% 90 4 6 6 too short 20 18 + 1 + 1 on the demo base complete"
        in words
    )
    links = [value for _, name, value in parsed.attributes if name == "href"]
    assert links == ["/builds/b002", "/builds/b002/validation", "/builds/b001", "/builds/b001/validation"]
    assert page == render_builds([line(2, parent="b001", adapter="demo"), line(1)], "/home/ana/vatra")


def test_states_and_missing_figures_are_said() -> None:
    empty = {"imports": ImportCounts(), "messages": MessageCounts(), "corpus": None, "decided": None}
    lines = [
        line(5, state="stopped", stage="train-lora"),
        line(4, state="stopped", stage="parse", **empty),
        line(3, state="failed", stage="dedup", problem="an expectation of dedup did not hold", corpus=None),
        BuildLine("no plan", state="damaged", problem="a build's plan is damaged", addressable=False),
    ]
    parsed = assert_inert(render_builds(lines, "/h"))
    assert "corpus complete; no adapter yet" in parsed.words
    assert "stopped before parse" in parsed.words
    assert "failed at dedup an expectation of dedup did not hold" in parsed.words
    assert "damaged a build's plan is damaged" in parsed.words
    assert "4 builds, 0 complete." in parsed.words
    assert not any("no" in (value or "") for _, name, value in parsed.attributes if name == "href")


def test_only_the_first_reasons_are_named_and_the_rest_is_counted() -> None:
    dropped = {"superseded": 9, "too_short": 6, "empty": 4, "blacklist": 2, "unanswered": 1}
    words = Page(render_builds([line(1, kept=70, dropped=dropped)], "/h")).words
    assert "22 9 superseded copies, 6 too short, 4 empty, 3 for other reasons" in words


def test_an_empty_home_says_what_to_do() -> None:
    assert "There is no build yet: run vatra build PATH" in assert_inert(render_builds([], "/h")).words


def test_hostile_text_stays_text_in_the_list() -> None:
    lines = [
        line(
            number,
            dropped={text: 3},
            build=text,
            created=text,
            parent=text,
            stage=text,
            problem=text,
            state="failed",
            addressable=False,
        )
        for number, text in enumerate(HOSTILE)
    ]
    page = render_builds(lines, HOSTILE[0])
    parsed = assert_inert(page)
    assert len(page) < 200_000
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00-\x08\x1b\ud800-\udfff]", page)
    assert "<script>alert(1)</script>" in parsed.words
    assert_inert(render_problem(HOSTILE[0], HOSTILE[1]))


def test_trends_go_from_old_to_new_and_leave_out_what_nobody_judged() -> None:
    lines = [line(3, kept=80), line(2, kept=90), line(1, decided=None), line(0, kept=85)]
    trends = draw_trends(lines)
    assert trends is not None
    assert (trends.builds, trends.left_out, trends.first, trends.last) == (3, 0, "01 Jan 2026", "04 Jan 2026")
    assert [point.build for point in trends.points] == ["b000", "b002", "b003"]
    heights = [point.y for point in trends.points]
    assert heights[1] < heights[0] < heights[2], "y grows downwards"
    assert trends.points[0].title == "01 Jan 2026: 85.0% kept, 85 of 100 messages"
    assert draw_trends(lines[:1]) is None


def test_only_the_newest_builds_are_drawn() -> None:
    trends = draw_trends([line(number) for number in reversed(range(SHOWN + 7))])
    assert trends is not None
    assert (trends.builds, trends.left_out) == (SHOWN, 7)
    assert trends.points[-1].build == f"b{SHOWN + 6:03}"


@pytest.mark.parametrize("shares", [(0, 0), (100, 100), (0, 100), (90, 90), (91, 92)])
def test_the_axis_holds_every_share(shares: tuple[int, int]) -> None:
    trends = draw_trends([line(i, kept=share, dropped={}) for i, share in enumerate(shares)])
    assert trends is not None
    top, bottom = HEIGHT - BOTTOM - PLOT_HEIGHT, HEIGHT - BOTTOM
    assert all(top <= point.y <= bottom for point in trends.points)
    assert 2 <= len(trends.kept_ticks) <= 6
    assert trends.kept_ticks[0].at == bottom
    assert trends.kept_ticks[-1].at == top


def test_bars_are_stacked_by_reason_and_the_rest_is_drawn_together() -> None:
    many = {name: 7 - place for place, name in enumerate(("a", "b", "c", "d", "e", "f", "g"))}
    trends = draw_trends([line(1, kept=60, dropped=many), line(0, kept=86, dropped={"a": 14})])
    assert trends is not None
    assert [name for _, name in trends.legend] == ["A", "B", "C", "D", "E", "other reasons"]
    first, *stack = trends.boxes
    assert (first.kind, first.height) == ("d1", pytest.approx(PLOT_HEIGHT / 2, abs=0.1))
    assert [box.kind for box in stack] == ["d1", "d2", "d3", "d4", "d5", "d6"]
    assert sum(box.height for box in stack) == pytest.approx(PLOT_HEIGHT, abs=0.5)
    for below, above in itertools.pairwise(stack):
        assert above.y + above.height == pytest.approx(below.y, abs=0.2)
    assert stack[-1].title == "02 Jan 2026: other reasons, 3.0% of messages"
