import dataclasses
import io
from typing import Any

from rich.cells import cell_len
from rich.console import Console

from schemas.summary import BuildSummary
from tasks.reports import ReportContext, Statistics, collect_statistics, render_terminal


def printed(statistics: Statistics, context: ReportContext) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(render_terminal(statistics, context))
    assert "\x1b" not in out.getvalue()
    lines = out.getvalue().splitlines()
    assert all(cell_len(line) <= 80 for line in lines)
    return [" ".join(line.split()) for line in lines]


def test_table_has_every_category_with_count_and_share(tables: Any, context: ReportContext) -> None:
    lines = printed(collect_statistics(tables, context), context)
    assert "│ Filtering Statistics │" in lines
    assert "Category Count %" in lines
    start = lines.index("Total messages 13 100%")
    assert lines[start : start + 17] == [
        "Total messages 13 100%",
        "Kept 7 53.8%",
        "to learn from 2 15.4%",
        "context 5 38.5%",
        "Masked (context, not learned) 1 7.7%",
        "Masked - Blacklist 1 7.7%",
        "Dropped 5 38.5%",
        "Dropped - Blacklist 0 0%",
        "Dropped - AI slop 0 0%",
        "Dropped - Toxicity 0 0%",
        "Dropped - Low quality 1 7.7%",
        "single word 1 7.7%",
        "Dropped - Too short 0 0%",
        "Dropped - Superseded copies 2 15.4%",
        "Dropped - Masked piece 1 7.7%",
        "Dropped - Unanswered 1 7.7%",
        "",
    ]


def test_top_matches_examples_and_splits_follow(tables: Any, context: ReportContext) -> None:
    lines = printed(collect_statistics(tables, context), context)
    assert lines[lines.index("Top blacklist matches:") + 1] == "• circle back: 2"
    assert lines[lines.index("Top AI slop matches:") + 1] == "• that resonates: 1"
    assert "Examples 2 after removing 1 duplicate" in lines
    assert "Corpus 2: train 1, validation 1, test 0" in lines
    assert any(line.startswith("Toxicity 4 scored by profanity, 7 not scored; degraded:") for line in lines)


def test_what_an_evaluation_asks_is_not_counted_among_the_examples_left(
    tables: Any, context: ReportContext
) -> None:
    statistics = collect_statistics(tables, context)
    assert statistics.duplicates is not None
    duplicates = dataclasses.replace(statistics.duplicates, contaminated={"eval.txt": 1})
    lines = printed(dataclasses.replace(statistics, duplicates=duplicates), context)
    assert "Examples 1 after removing 1 duplicate, 1 contaminated" in lines


def test_without_a_scorer_it_says_not_scored(tables: Any, context: ReportContext) -> None:
    context = dataclasses.replace(context, scorer="none")
    assert "Toxicity not scored" in printed(collect_statistics(tables, context), context)


def test_an_empty_failed_build_still_prints(build_tables: Any) -> None:
    context = ReportContext(BuildSummary(error="[bold]no chat[/bold] in \u202eevil.json"))
    lines = printed(collect_statistics(build_tables([]).without("messages"), context), context)
    assert any("[bold]no chat[/bold] in ‹U+202E›evil.json" in line for line in lines)
    assert "Total messages 0 –" in lines
    assert "The filter was not reached." in lines


def test_hostile_rule_names_are_text(tables: Any, context: ReportContext) -> None:
    statistics = collect_statistics(tables, context)
    assert statistics.signals is not None
    rule = dataclasses.replace(statistics.signals.rules[0], rule="blacklist:[red]\x1b[2J" + "w" * 5000)
    signals = dataclasses.replace(statistics.signals, rules=(rule,))
    lines = printed(dataclasses.replace(statistics, signals=signals), context)
    assert any("[red]‹U+001B›[2J" in line for line in lines)
