import dataclasses
import re
from typing import Any

import pytest

from schemas.summary import BuildSummary, ExpectationResult, StageSummary, ValidationResult
from tasks.reports import ReportContext, collect_statistics, render_page, render_validation_page
from tasks.reports.page import SECTIONS
from tests.tasks.reports.pages import HOSTILE, Page, assert_offline_and_inert


def rendered(tables: Any, context: ReportContext) -> str:
    return render_page(collect_statistics(tables, context), context)


def test_all_sections_are_there_and_reachable(tables: Any, context: ReportContext) -> None:
    parsed = assert_offline_and_inert(rendered(tables, context))
    ids = [value for _, name, value in parsed.attributes if name == "id"]
    links = [value for _, name, value in parsed.attributes if name == "href"]
    assert links == [f"#{anchor}" for anchor, _ in SECTIONS]
    assert len(set(ids)) == len(ids)
    assert {anchor for anchor, _ in SECTIONS} <= set(ids)


def test_first_screen_tells_the_story(tables: Any, context: ReportContext) -> None:
    words = Page(rendered(tables, context)).words
    assert "Of 13 messages in 4 conversations, 7 are kept (53.8%), 1 stays as context" in words
    assert "5 are dropped, each with a reason. They make a corpus of 2 examples." in words
    assert "Toxicity scored by profanity degraded: English only; measured recall 33% at 0.8 on Surge" in words
    assert "Seen 6 −1 empty · −1 failed Read 4 −1 superseded Current 3" in words
    assert "Parsed 13 −1 masked · −5 dropped Kept 7 −5 context To learn from 2" in words
    assert "Assembled 3 −1 duplicates Unique 2 none lost Corpus 2 1 train · 1 validation · 0 test" in words
    assert "The ledger balances: 13 = 7 kept + 1 masked + 5 dropped" in words


def test_sections_show_their_numbers(tables: Any, context: ReportContext) -> None:
    words = Page(rendered(tables, context)).words
    assert "Superseded copies 2 15.4%" in words
    assert "Tool result 6" in words
    assert "Joined user messages 4" in words
    assert (
        "3 hits (user 1, assistant 2) in 2 messages (user 1, assistant 1); of these, 1 kept, 1 masked."
        in words
    )
    assert "Let us circle back. Yes, circle back!" in words
    assert "Not found anywhere: in this space." in words
    assert (
        "4 of 11 current messages were scored by profanity; 7 were not, and have no score rather than 0."
        in words
    )
    assert "Threat not scored" in words
    assert "English 4 – Romanian – 7" in words or "Romanian – 7 English 4 –" in words
    assert "claude 3 8 50.0% 1 1 0 0" in words
    assert "All 4 13 53.8% 3 1 1 0" in words
    assert "2 examples fall into 1 cluster; one of each stays, 1 leaves. The largest holds 2." in words
    assert "✓ ids are unique messages, 13 checked" in words
    assert "claude.json 1 failure 9: not JSON claude 4 3" in words
    assert "photo.jpg not a chat export" in words
    assert "f00d" in words
    assert '"threshold": 0.8' in words
    assert "2026-11-18 21:40" in words


def test_the_hit_is_marked(tables: Any, context: ReportContext) -> None:
    assert '<bdi dir="auto">Let us <mark>circle back</mark>. Yes, circle back!</bdi>' in rendered(
        tables, context
    )


def test_same_input_same_bytes(tables: Any, context: ReportContext) -> None:
    assert rendered(tables, context) == rendered(tables, context)


def hostile_context() -> ReportContext:
    nested = {"a": HOSTILE, "\ud800": {"b": "\ud800</pre>"}}
    bad = ExpectationResult(
        name=HOSTILE[0], table=HOSTILE[1], success=False, unexpected=3, sample_ids=HOSTILE, error=HOSTILE[2]
    )
    return ReportContext(
        summary=BuildSummary(
            build=HOSTILE[1],
            error=" ".join(HOSTILE[:8]),
            stages=[
                StageSummary(stage=text, fingerprint=text, unit=text, set_aside={text: 1}) for text in HOSTILE
            ],
        ),
        settings=nested,
        validations=[ValidationResult(stage=text, success=False, results=[bad]) for text in HOSTILE],
        scorer=HOSTILE[0],
        degraded=HOSTILE[1],
        created=HOSTILE[2],
        files=[
            {
                "label": text,
                "format": text,
                "odd <b>": text,
                "warnings": [text],
                "failures": [{"at": text, "reason": text}],
            }
            for text in [*HOSTILE, "\udcff.json"]
        ],
        skipped=[(text, text) for text in HOSTILE],
        notes=HOSTILE,
        rules=[f"slop:{text}" for text in HOSTILE],
    )


def test_hostile_text_stays_text(build_tables: Any) -> None:
    messages = [
        ("c1", "user", f"{text} circle back {text}", text, 0.9, "mask", text, "masked", text)
        for text in HOSTILE
    ]
    context = hostile_context()
    statistics = collect_statistics(build_tables([["c1"]], messages), context)
    assert statistics.signals is not None
    rules = tuple(dataclasses.replace(statistics.signals.rules[0], rule=f"{t}:{t}") for t in HOSTILE)
    statistics = dataclasses.replace(
        statistics, signals=dataclasses.replace(statistics.signals, rules=rules), disagreements=tuple(HOSTILE)
    )
    page = render_page(statistics, context)
    parsed = assert_offline_and_inert(page)
    assert len(page) < 2_000_000
    assert max(map(len, re.findall(r"w+", page))) <= 40_000
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00-\x08\x1b\ud800-\udfff]", page)
    for shown in (
        "<script>alert(1)</script>",
        "{{ 7 * 7 }}",
        "‹U+202E›drowssap",
        "‹U+0000›‹U+001B›[2J",
        "‹U+DCFF›.json",
    ):
        assert shown in parsed.words
    assert "e" + "\u0301" * 4 not in page


@pytest.mark.parametrize("reached", [(), ("messages",), ("messages", "conversations", "signals")])
def test_early_ends_read_well(tables: Any, reached: tuple[str, ...]) -> None:
    tables.parts = {name: parts for name, parts in tables.parts.items() if name in reached}
    parsed = assert_offline_and_inert(rendered(tables, ReportContext(BuildSummary())))
    words = parsed.words
    assert "Toxicity: not scored" in words
    assert "The filter was not reached." in words
    assert "No expectations were run." in words
    assert "No file was read." in words
    assert "No stage was run." in words
    assert "not reached" in words
    assert ("No message was read." in words) == (not reached)


def test_no_hit_and_no_scorer(build_tables: Any) -> None:
    messages = [("c1", "user", "Hello there", "en", None, "keep", None, "context", None)]
    words = Page(rendered(build_tables([["c1"]], messages), ReportContext(BuildSummary()))).words
    assert "No pattern was found in any message." in words
    assert "Not scored. No scorer was chosen." in words
    assert "Every message was kept." in words
    assert "Of 1 message in 1 conversation, 1 is kept (100%), 0 stay as context" in words
    assert "and none is dropped." in words


def test_failed_build_says_so_first(tables: Any, context: ReportContext) -> None:
    bad = ExpectationResult(
        name="every row has a parent",
        table="messages",
        success=False,
        checked=13,
        unexpected=2,
        sample_ids=["m1"],
    )
    context = dataclasses.replace(
        context,
        summary=context.summary.model_copy(update={"error": "2 rows have no parent"}),
        validations=[*context.validations, ValidationResult(stage="assemble", success=False, results=[bad])],
    )
    page = rendered(tables, context)
    words = Page(page).words
    band = words.index("This build did not finish 2 rows have no parent every row has a parent in assemble")
    assert band < words.index("Of 13 messages")
    assert "2 of 13 rows m1" in words
    assert "2 unexpected" in words
    assert 'role="alert"' not in rendered(
        tables, dataclasses.replace(context, summary=BuildSummary(), validations=[])
    )


def test_unbalanced_ledger_is_told(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(tables, context)
    broken = dataclasses.replace(
        statistics, messages=dataclasses.replace(statistics.messages, dropped=4), disagreements=("a: b",)
    )
    words = Page(render_page(broken, context)).words
    assert "The ledger does not balance: 13 messages, but 7 kept + 1 masked + 4 dropped." in words
    assert "The ledger does not agree. a: b." in words


def test_validation_page_alone() -> None:
    good = ExpectationResult(name="ids are unique", table="messages", success=True, checked=5)
    bad = ExpectationResult(name="<b>parents</b>", table="messages", success=False, checked=5, unexpected=1)
    suites = [ValidationResult(stage="parse", success=False, results=[good, bad])]
    parsed = assert_offline_and_inert(render_validation_page(suites, "parse of <evening>"))
    assert "parse of <evening> 1 of 2 expectations did not hold." in parsed.words
    assert "<b>parents</b> in parse, table messages: 1 of 5 rows" in parsed.words
    assert "✗ parse 2 expectations, not all hold" in parsed.words
    held = Page(
        render_validation_page([ValidationResult(stage="parse", success=True, results=[good])], "t")
    ).words
    assert "The one expectation holds." in held
