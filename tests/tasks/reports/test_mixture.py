"""The mixture's account, as the page, the terminal, the run's Markdown and the object of --json tell it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pytest
from rich.console import Console

from schemas.categories import CATEGORIES
from schemas.settings import MixSettings, load_build_settings
from schemas.summary import BuildSummary, CorpusCounts, MixtureAccount
from tasks.reports import (
    ReportContext,
    account_of_mixture,
    collect_statistics,
    render_markdown,
    render_page,
    render_terminal,
)
from tests.tasks.mixing.made import mix, pool, table_of
from tests.tasks.reports.pages import HOSTILE, Page


class Given:
    """The tables of a mix, read as a build's."""

    def __init__(self, **tables: pa.Table) -> None:
        self._tables = tables

    def has(self, table: str) -> bool:
        return table in self._tables

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        yield self._tables[table].select(list(columns))


def given(settings: MixSettings, sources: Sequence[str] = ("a", "b")) -> Given:
    parts = mix(pool({(source, name): 60 for source in sources for name in CATEGORIES}), settings)
    return Given(targets=table_of(parts, "targets"), portions=table_of(parts, "portions"))


EMERGENT = load_build_settings("emergent", overrides=["mix.tokenizer=estimate", "mix.total=300"]).mix


def account(tables: Given) -> MixtureAccount:
    found = account_of_mixture(tables)
    assert found is not None
    return found


def page_of(tables: Given, **more: Any) -> str:
    context = ReportContext(BuildSummary(build="b", mixture=account(tables)), **more)
    return render_page(collect_statistics(tables, context), context)


def test_targets_show_what_was_asked_as_a_share_and_got() -> None:
    told = account(given(EMERGENT))
    technical = told.targets[0]
    assert (technical.kind, technical.name, technical.asked) == ("category", "technical", (25, 30))
    assert technical.low == pytest.approx(25 / 121)
    assert technical.share is not None
    assert 0.2 < technical.share < 0.25
    assert sum(target.got for target in told.contract) == told.targets[-1].got == 300
    assert technical.available == 120
    assert [phase.name for phase in told.phases] == [phase.name for phase in EMERGENT.phases]
    assert sum(source.examples for source in told.sources) == 300
    assert sum(category.tokens or 0 for category in told.categories) == told.phases[3].tokens


def test_the_page_the_terminal_and_markdown_show_both_ranges_side_by_side() -> None:
    tables = given(EMERGENT)
    page = Page(page_of(tables))
    assert "20.7–24.8%" in page.text
    assert "25–30" in page.text
    assert "mixed_fluency" in page.text
    context = ReportContext(BuildSummary(build="b", mixture=account(tables)))
    statistics = collect_statistics(tables, context)
    console = Console(file=io.StringIO(), width=80)
    console.print(render_terminal(statistics, context))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    row = next(line for line in shown.splitlines() if line.startswith("technical"))
    assert row.split()[1:3] == ["25–30", "20.7–24.8%"]
    assert "fine_tuning" in shown
    assert "| technical | 25–30 | 20.7–24.8% |" in render_markdown(statistics, context)


def test_repeats_are_told_wherever_the_mixture_is() -> None:
    """20 of a category repeated to 30, of 120 rows: the share counts rows, and both counts are shown."""
    settings = MixSettings(
        ranges={"creative": (25, 25), "tool": (75, 75)}, total=120, repeat=2, validation=0, test=0
    )
    parts = mix(pool({("a", "creative"): 20, ("a", "tool"): 200}), settings)
    tables = Given(targets=table_of(parts, "targets"), portions=table_of(parts, "portions"))
    told = account(tables)
    assert told.repeats == 10
    context = ReportContext(BuildSummary(build="b", mixture=told, corpus=CorpusCounts(train=110)))
    statistics = collect_statistics(tables, context)
    console = Console(file=io.StringIO(), width=80)
    console.print(render_terminal(statistics, context))
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert "10: 110 examples make 120 rows (10 in creative)" in " ".join(" ".join(lines).split())
    heading = next(line.split() for line in lines if line.split()[:1] == ["asked"])
    assert heading == ["asked", "share", "got", "rows", "examples", "available"]
    row = next(line.split() for line in lines if line.startswith("creative"))
    assert row == ["creative", "25", "25%", "25.0%", "30", "20", "20"]
    page = Page(render_page(statistics, context)).text
    assert "10 rows are repeats" in page
    assert any("Here every example counts once" in text for text in page)
    assert account(given(MixSettings(total=5))).repeats == 0


def test_sources_that_share_one_share_leave_room_to_break_the_line() -> None:
    name = "generated*+own*+chatgpt+claude+generic"
    tables = given(MixSettings(shares={name: 1, "a": 1}, on_shortage="relax"))
    context = ReportContext(BuildSummary(build="b", mixture=account(tables)))
    console = Console(file=io.StringIO(), width=80)
    console.print(render_terminal(collect_statistics(tables, context), context))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert [
        word for word in ("generated*", "own*", "chatgpt", "claude", "generic") if word not in shown
    ] == []
    assert "generated* + own* + chatgpt + claude + generic" in Page(page_of(tables)).text


def test_json_has_the_mixture_only_when_something_was_asked_of_it() -> None:
    plain = BuildSummary(mixture=account(given(MixSettings())))
    assert "mixture" not in plain.as_object()
    assert "mixture" not in BuildSummary().as_object()
    for asked in (
        EMERGENT,
        MixSettings(total=5),
        MixSettings(tokenizer="estimate"),
        MixSettings(shares={"a": 1}),
    ):
        assert BuildSummary(mixture=account(given(asked))).as_object()["mixture"]["targets"]


def test_a_build_without_a_mixture_says_so() -> None:
    assert account_of_mixture(Given()) is None
    context = ReportContext(BuildSummary(build="b"))
    assert "The mix stage was not reached." in render_page(collect_statistics(Given(), context), context)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_sources_are_shown_as_text_whatever_they_hold(name: str) -> None:
    shares = MixSettings(shares={"a": 1, name.replace("+", ""): 1}, on_shortage="relax")
    Page(page_of(given(shares, sources=("a", name))))
