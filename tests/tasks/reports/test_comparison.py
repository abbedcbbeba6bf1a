"""The page of a comparison: it shows what moved, and hostile text harms nobody who opens it."""

from __future__ import annotations

from typing import Any

from schemas.comparison import (
    Comparison,
    InputFile,
    Move,
    Moves,
    MoveSample,
    SettingChange,
    StageAccount,
    StageChange,
)
from tasks.reports import render_comparison
from tasks.reports.comparison import SECTIONS
from tests.tasks.reports.test_page import HOSTILE, Page, assert_offline_and_inert


def sample(**more: Any) -> MoveSample:
    blank = {
        "message_id": "m1",
        "role": "assistant",
        "before": "kept",
        "after": "masked:slop",
        "evidence": "slop:delve",
        "text_before": "Let us ",
        "text_hit": "delve",
        "text_after": " into it",
        "cut_before": False,
        "cut_after": True,
    }
    return MoveSample.model_validate({**blank, **more})


def comparison(**more: Any) -> Comparison:
    moves = Moves(
        before=10,
        after=11,
        unchanged=7,
        moved=[
            Move(before="kept", after="masked:slop", count=2, by_role={"assistant": 2}, ids=["m1", "m2"]),
            Move(before=None, after="kept", count=2, by_role={"user": 2}, ids=["m3"]),
            Move(before="dropped:too_short", after=None, count=1, by_role={"user": 1}, ids=["m4"]),
        ],
    )
    examples = Moves(
        before=3,
        after=3,
        unchanged=1,
        moved=[
            Move(before="train", after="left_out:exact_duplicate", count=1, ids=["e1"]),
            Move(before="test", after="test", count=1, ids=["e2"]),
        ],
    )
    old = StageAccount(fingerprint="a" * 32, rows_in=10, rows_out=9, set_aside={"too_short": 1})
    new = StageAccount(fingerprint="b" * 32, rows_in=11, rows_out=11)
    given: dict[str, Any] = {
        "before": "20260101-000000-aaaa",
        "after": "20260102-000000-bbbb",
        "level": "placements",
        "messages": moves,
        "examples": examples,
        "settings": [SettingChange(key="slop.enabled", before=False, after=True)],
        "inputs_added": [InputFile(label="new.json", digest="f" * 32, bytes=2_000, format="claude")],
        "stages": [
            StageChange(stage="filter", same=False, before=old, after=new),
            StageChange(stage="train-lora", same=False, before=None, after=new),
        ],
    }
    return Comparison.model_validate({**given, **more})


def test_it_shows_what_moved() -> None:
    parsed = assert_offline_and_inert(render_comparison(comparison(), [sample()]))
    words = parsed.words
    assert "5 messages moved; 7 of 11 messages stand as they stood." in words
    assert "kept → masked: AI slop" in words
    assert "Let us delve into it…" in words
    assert "slop:delve" in words
    assert "Only in the later · kept" in words
    assert "Only in the earlier · dropped: Too short" in words
    assert "train → left out: Exact duplicate" in words
    assert "test with another text" in words
    assert "10 before, 11 after, 7 unchanged." in words
    assert "does not balance" not in words
    assert "Too short 1 → 0" in words
    assert "slop.enabled false true" in words
    assert "new.json claude, 2.0 kB" in words
    links = [value for _, name, value in parsed.attributes if name == "href"]
    assert links == [f"#{anchor}" for anchor, _ in SECTIONS]


def test_a_ledger_that_does_not_balance_is_shown_and_not_hidden() -> None:
    broken = comparison(messages=Moves(before=10, after=9, unchanged=9, moved=[]))
    assert (
        "The ledger of moves does not balance: 1 and 0 are missing."
        in Page(render_comparison(broken, [])).words
    )


def test_two_equal_builds_say_so() -> None:
    same = Moves(before=4, after=4, unchanged=4)
    words = Page(
        render_comparison(
            comparison(messages=same, examples=Moves(), settings=[], inputs_added=[], level="verdicts"), []
        )
    ).words
    assert "No message moved: all 4 messages stand as they stood." in words
    assert "One of the builds has no examples yet." in words
    assert "The settings are the same." in words
    assert "Both builds have read the same files." in words
    assert "One of the builds stops after its filter" in words


def test_hostile_text_does_nothing() -> None:
    for text in HOSTILE:
        page = render_comparison(
            comparison(
                settings=[SettingChange(key=text, before=text, after=[text])],
                inputs_removed=[InputFile(label=text, digest=text, bytes=1, format=text)],
                messages=Moves(
                    before=1,
                    after=1,
                    unchanged=0,
                    moved=[
                        Move(before="kept", after=f"masked:{text}", count=1, by_role={text: 1}, ids=[text])
                    ],
                ),
            ),
            [
                sample(
                    message_id=text,
                    role=text,
                    after=f"masked:{text}",
                    evidence=text,
                    text_before=text,
                    text_hit=text,
                    text_after=text,
                )
            ],
        )
        assert_offline_and_inert(page)
        assert "alert(1)</script>" not in page
        for hidden in ("\u202e", "\u2066", "\x1b", "\x00", "\u200b"):
            assert hidden not in page
        assert len(page) < 60_000, "a word of 100,000 letters is cut"
