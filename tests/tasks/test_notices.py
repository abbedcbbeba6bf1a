"""What is told of a build, and what it is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from schemas.manifest import BuildRecord
from schemas.notice import Notice
from schemas.settings import NotifySettings
from storage.home import Home
from tasks.notices import notice_of_failure, notice_of_move
from tests.made_builds import STAGES, put_build, summaries


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "vatra-home")


def built(home: Home, name: str, kept: int, **more: Any) -> BuildRecord:
    """A build of 400 messages in which so many are kept."""
    return put_build(home.store, name, found=summaries(400, 0, {"too_short": 400 - kept}), **more)


def move(home: Home, record: BuildRecord, share: float | None = 0.05) -> Notice | None:
    return notice_of_move(home, record, NotifySettings(kept_share_moved=share))


def test_a_move_is_told_with_both_shares_and_the_counts(home: Home) -> None:
    built(home, "b1", 400)
    notice = move(home, built(home, "b2", 360))
    assert notice is not None
    assert notice.kept_share is not None
    assert notice.kept_share.model_dump() == {"now": 0.9, "before": 1.0, "since": "b1"}
    assert notice.text == "vatra (vatra-home): build b2 keeps 90.0% of its messages; build b1 kept 100.0%"
    assert notice.counts.model_dump() == {
        "conversations": 100, "messages": 400, "kept": 360, "masked": 0, "dropped": {"too_short": 40}, "examples": 100,
    }  # fmt: skip


@pytest.mark.parametrize(("kept", "told"), [(380, False), (379, True), (400, False)])
def test_only_more_than_the_setting_is_told(home: Home, kept: int, told: bool) -> None:
    built(home, "b1", 400)
    assert (move(home, built(home, "b2", kept)) is not None) is told


def test_up_is_a_move_too_and_none_means_never(home: Home) -> None:
    built(home, "b1", 300)
    up = built(home, "b2", 400)
    assert move(home, up) is not None
    assert move(home, up, None) is None


def test_the_first_build_has_nothing_to_be_compared_with(home: Home) -> None:
    assert move(home, built(home, "b1", 10)) is None


def test_the_parent_counts_before_the_latest_and_later_builds_never(home: Home) -> None:
    built(home, "b1", 300)
    built(home, "b2", 400)
    record = built(home, "b3", 300, parent="b1")
    built(home, "b4", 400)
    assert move(home, record) is None
    unrelated = built(home, "b35", 300)
    notice = move(home, unrelated)
    assert notice is None, "b3 is the latest before it, and keeps as much"


def test_builds_that_did_not_finish_or_are_damaged_are_passed_over(home: Home) -> None:
    built(home, "b1", 400)
    partial = {name: summaries(400, 0, {"too_short": 399})[name] for name in STAGES[:5]}
    put_build(home.store, "b2", found=partial)
    Path(home.store.full("builds/b3.json")).write_text("damaged")
    put_build(home.store, "b4", planned=("parse",))
    notice = move(home, built(home, "b5", 200, parent="gone"))
    assert notice is not None
    assert notice.kept_share is not None
    assert notice.kept_share.since == "b1"


def test_filter_is_compared_with_filter(home: Home) -> None:
    """Assembly drops what the filter keeps: a build up to the filter is no move against one that went on."""
    whole = summaries(400, 0, {"too_short": 40})
    whole["assemble"] = {"trained": 100, "context": 100, "masked": 0, "set_aside:unanswered": 200}
    put_build(home.store, "b1", found=whole)
    same = put_build(
        home.store, "b2", found=summaries(400, 0, {"too_short": 40}), planned=STAGES[:4], parent="b1"
    )
    assert move(home, same) is None
    other = put_build(
        home.store, "b3", found=summaries(400, 0, {"too_short": 200}), planned=STAGES[:4], parent="b1"
    )
    notice = move(home, other)
    assert notice is not None
    assert notice.kept_share is not None
    assert (notice.kept_share.now, notice.kept_share.before) == (0.5, 0.9)


def test_a_failure_is_one_visible_line_with_the_counts_so_far(home: Home) -> None:
    partial = {name: summaries(400, 0, {"too_short": 40})[name] for name in STAGES[:4]}
    record = put_build(home.store, "b1", found=partial)
    notice = notice_of_failure(home, "it stopped \x1b[2J\u202ehere (mix)\nTraceback: secret", record)
    assert notice.error == "it stopped ‹U+001B›[2J‹U+202E›here (mix)"
    assert notice.text.startswith("vatra (vatra-home): build b1 failed: it stopped")
    assert (notice.counts.messages, notice.counts.kept, notice.counts.examples) == (400, 360, 0)
    assert len(notice_of_failure(home, "w" * 100_000, record).text) < 600


def test_a_build_that_could_not_be_planned_is_told_without_counts(home: Home) -> None:
    notice = notice_of_failure(home, "the folder is empty (inbox)")
    assert (notice.build, notice.counts.messages) == (None, 0)
    assert "a build failed: the folder is empty (inbox)" in notice.text


def test_reasons_from_the_data_are_shown_not_obeyed_and_bounded(home: Home) -> None:
    reasons = {f"unknown\x1b{number:03}{'w' * 500}": 1 for number in range(100)}
    built(home, "b1", 400)
    notice = move(home, put_build(home.store, "b2", found=summaries(400, 0, reasons)))
    assert notice is not None
    assert len(notice.counts.dropped) <= 41
    assert sum(notice.counts.dropped.values()) == 100
    assert "\x1b" not in "".join(notice.counts.dropped)
    assert len(notice.model_dump_json()) < 10_000
