"""What a build that ended well could not have is said, with sources, counts and the setting behind it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
from rich.console import Console

from flows.building import tell
from flows.closing import print_closing
from schemas.settings import BuildSettings, MixSettings
from schemas.summary import BuildSummary, CorpusCounts, StageSummary
from tasks.accounts import BuildReport
from tasks.reports import (
    ReportContext,
    account_of_mixture,
    collect_statistics,
    render_markdown,
    render_page,
)
from tasks.shortfalls import find_shortfalls
from tests.schemas.rows import an_id, conversation_tables, table
from tests.tasks.mixing.made import NO_SPLITS, mix, pool, table_of


class Given:
    """The tables of a build in memory."""

    def __init__(self, tables: Mapping[str, pa.Table]) -> None:
        self._tables = tables

    def has(self, name: str) -> bool:
        return name in self._tables

    def scan(self, name: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        yield self._tables[name].select(list(columns))


def told(
    sizes: Mapping[tuple[str, str | None], int],
    mixing: MixSettings,
    twins: Sequence[str] = (),
    in_vain: int = 0,
    **more: pa.Table,
) -> list[str]:
    """The shortfalls of a build that mixes so many examples of each source and category; of `twins` none stays."""
    rows = pool(sizes)
    clusters = [
        {"example_id": row["example_id"], "cluster_id": "c", "keeper_id": an_id("keeper"), "method": "near"}
        for row in rows
        if row["source"] in twins
    ]
    parts = mix(rows, mixing, twins=clusters)
    given = Given(
        {name: table_of(parts, name) for name in ("targets", "portions", "left_out")}
        | {"examples": table("examples", *rows), "clusters": table("clusters", *clusters)}
        | {"train": table("train")}
        | more
    )
    summary = BuildSummary(mixture=account_of_mixture(given))
    statistics = collect_statistics(given, ReportContext(summary))
    summary.corpus = CorpusCounts(**(statistics.corpus or {}))
    return find_shortfalls(given, summary, statistics, BuildSettings(mix=mixing), in_vain)


def test_a_mixture_that_has_all_it_asks_for_is_short_of_nothing() -> None:
    assert told({("a", "tool"): 20}, MixSettings(total=10, **NO_SPLITS)) == []
    assert told({("a", "tool"): 20, ("b", "tool"): 9}, MixSettings(shares={"a": 1}, **NO_SPLITS)) == []


def test_ranges_that_take_the_chats_without_a_category_say_whose() -> None:
    ranges: dict[str, Any] = {"tool": (90, 100), "creative": (0, 10)}
    lines = told(
        {("set", "tool"): 40, ("chats", None): 14, ("chats", "creative"): 1, ("more", None): 1, ("more", "tool"): 1},
        MixSettings(ranges=ranges, **NO_SPLITS),
    )  # fmt: skip
    assert lines == [
        "15 examples have no category, and mix.ranges leave them out: chats 14 of 15, more 1 of 2. Declare the "
        "category of such a source in a sources file, or lower label.confidence (0.62)."
    ]


def test_a_relaxed_total_and_absent_parts_come_first() -> None:
    mixing = MixSettings(
        shares={"journal*": 40, "reddit*+web": 20, "own+chats": 40}, total=300, on_shortage="relax"
    )
    lines = told({("chats", None): 12}, mixing)
    assert lines[0] == (
        "Only 12 of the 300 examples asked for (mix.total) can be had; mix.on_shortage=relax let the build go on."
    )
    assert lines[1] == (
        "The mixture asks for these and the corpus has no example of them: journal* (40%); reddit* + web (20%)."
    )


def test_splits_that_nothing_fell_to_are_named() -> None:
    lines = told({("chats", None): 1}, MixSettings())
    assert [line.split(",")[0] for line in lines] == [
        "No example is held out for validation",
        "No example is held out for test",
    ]


def test_a_source_that_ends_with_nothing_says_what_took_it() -> None:
    turns = [("user", "Is it right?"), ("assistant", "Yes.")]
    chats = conversation_tables(turns, turns)
    reasons = ["answer_dropped", "single_word"] * 2
    verdicts = [
        {"message_id": row, "action": "drop_turn", "reason": reason}
        for row, reason in zip(chats["messages"]["message_id"].to_pylist(), reasons, strict=True)
    ]
    read = [{"source": "claude", "conversations_seen": 3}, {"source": "cut", "conversations_seen": 5,
            "conversations_left_out": [{"reason": "where:score", "count": 5}]}]  # fmt: skip
    lines = told(
        {("set", "tool"): 9}, MixSettings(**NO_SPLITS), **chats, verdicts=table("verdicts", *verdicts),
        imports=table("imports", *read),
    )  # fmt: skip
    assert lines == [
        "claude: nothing of it is left, of 3 conversations read; single word (quality.single_word) took 2 messages, "
        "answer dropped took 2 messages.",
        "cut: nothing of it is left, of 5 conversations read; where:score took 5 records.",
    ]


def test_frozen_ids_that_name_nothing_are_counted() -> None:
    lines = told({("set", "tool"): 9}, MixSettings(**NO_SPLITS), in_vain=1)
    assert lines == [
        "mix.frozen: 1 id names no example and no conversation of this build, and was passed over."
    ]


def test_a_source_of_twins_alone_says_so() -> None:
    assert told({("copy", "tool"): 1, ("set", "tool"): 9}, MixSettings(**NO_SPLITS), ["copy"],
                imports=table("imports", {"source": "copy", "conversations_seen": 1})) == [
        "copy: nothing of it is left, of 1 conversation read; near duplicate took 1 example."
    ]  # fmt: skip


def test_warnings_stand_first_on_the_terminal_the_page_the_run_and_in_json() -> None:
    line = "Only 45 of the 30,000 examples asked for (mix.total) can be had."
    context = ReportContext(summary := BuildSummary(build="b", report="r.html", warnings=[line, "more"]))
    statistics = collect_statistics(Given({}), context)
    report = BuildReport(summary, statistics, context)
    console = Console(file=io.StringIO(), width=100)
    print_closing(console, report)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert shown.index(f"Warning  {line}") < shown.index("Build    b")
    assert f"<b>Warning</b> {line}" in render_page(statistics, context)
    markdown = render_markdown(statistics, context)
    assert markdown.index("**Warning**: ") < markdown.index("### Stages")
    summary.stages = [StageSummary(stage="mix", fingerprint="f")]
    assert f"Warning: {line} 1 more" in tell(report)
    assert summary.as_object()["warnings"] == [line, "more"]
