"""The filtering table that a build prints when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from schemas.summary import MixtureAccount
from schemas.visible import visible
from tasks.reports.context import ReportContext
from tasks.reports.mixture import told_bounds, told_part, told_repeats
from tasks.reports.reasons import FAMILIES, FilterRow, filter_rows
from tasks.reports.statistics import RuleStatistics, Statistics

WIDTH = 60
TOP = 5
STYLES = {"total": "bold", "kept": "green", "masked": "yellow", "dropped": "red"}


def render_terminal(statistics: Statistics, context: ReportContext) -> RenderableType:
    """Filtering statistics, top matches, examples and splits; 80 columns suffice, colour is not needed."""
    parts: list[RenderableType] = []
    if context.summary.error:
        parts.append(
            Panel(Text(visible(context.summary.error)), title="Build failed", width=WIDTH, style="red")
        )
    parts += [
        Panel(Text("Filtering Statistics", style="bold"), width=WIDTH, box=box.ROUNDED),
        _filtering(filter_rows(statistics.messages)),
    ]
    if not statistics.messages.decided:
        parts.append(Text("  The filter was not reached.", style="dim"))
    for family in FAMILIES:
        parts += _top_matches(statistics, family)
    parts += [Text(), *_facts(statistics, context), *_mixture(context.summary.mixture)]
    return Group(*parts)


def _filtering(rows: Iterable[FilterRow]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, width=WIDTH, pad_edge=False, show_edge=False)
    table.add_column("Category", ratio=1, overflow="fold")
    table.add_column("Count", justify="right")
    table.add_column("%", justify="right", min_width=6)
    for row in rows:
        label = "  " * row.level + row.label
        if row.level == 1 and row.kind in ("masked", "dropped"):
            label = f"  {row.kind.capitalize()} - {row.label}"
        style = STYLES[row.kind] if row.level == 0 else ""
        table.add_row(
            Text(label, style=style), Text(f"{row.count:,}", style=style), Text(row.share, style=style)
        )
    return table


def _top_matches(statistics: Statistics, family: str) -> list[RenderableType]:
    rules = [] if statistics.signals is None else statistics.signals.rules
    found = [rule for rule in rules if rule.family == family][:TOP]
    if not found:
        return []
    title = FAMILIES[family] if FAMILIES[family].startswith("AI") else FAMILIES[family].lower()
    return [Text(), Text(f"Top {title} matches:", style="bold"), *[_bullet(rule) for rule in found]]


def _bullet(rule: RuleStatistics) -> RenderableType:
    return Padding(
        Text(f"• {visible(rule.name, 52)}: {rule.messages:,}", overflow="fold"), (0, 0, 0, 2), expand=False
    )


def _facts(statistics: Statistics, context: ReportContext) -> list[RenderableType]:
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    facts.width = WIDTH
    facts.add_row("Toxicity", Text(_scoring(statistics, context)))
    if statistics.examples is not None:
        facts.add_row("Examples", Text(_examples(statistics)))
    if statistics.corpus is not None:
        facts.add_row("Corpus", Text(_splits(statistics.corpus)))
    mixture = context.summary.mixture
    if mixture is not None and mixture.repeats:
        facts.add_row("Repeats", Text(f"{mixture.repeats:,}: {told_repeats(mixture)}"))
    if mixture is not None and mixture.counted:
        tokens = sum(portion.tokens or 0 for portion in mixture.sources)
        facts.add_row("Tokens", Text(f"{tokens:,}"))
    return [facts]


def _mixture(mixture: MixtureAccount | None) -> list[RenderableType]:
    """Targets against what was got, and the phases; nothing where nothing was asked."""
    if mixture is None or mixture.is_plain:
        return []
    found: list[RenderableType] = []
    if mixture.contract:
        rows = " (shares count rows, repeats included)" if mixture.repeats else ""
        heading = Text(f"Mixture: asked, as a share, got{rows}", style="bold")
        found += [Text(), heading, _targets(mixture)]
    if len(mixture.phases) > 1:
        found += [Text(), Text("Phases:", style="bold"), _phases(mixture)]
    return found


def _targets(mixture: MixtureAccount) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("", overflow="fold", max_width=20)
    rows = ["rows"] if mixture.repeats else []
    for heading in ("asked", "share", "got", *rows, "examples", "available"):
        table.add_column(heading, justify="right")
    for target in mixture.contract:
        got = "–" if target.share is None else f"{target.share:.1%}"
        table.add_row(
            Text(visible(told_part(target.name), 120)),
            told_bounds(*target.asked),
            told_bounds(target.low, target.high, 100, "%"),
            Text(got, style="yellow" if target.remark else "green"),
            *([f"{target.rows:,}"] if mixture.repeats else []),
            f"{target.got:,}",
            f"{target.available:,}",
        )
    return table


def _phases(mixture: MixtureAccount) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in ("", "phase"):
        table.add_column(heading, overflow="fold")
    splits = mixture.phases[0].splits
    for heading in (*splits, *(["tokens"] if mixture.counted else [])):
        table.add_column(heading, justify="right")
    for phase in mixture.phases:
        tokens = [f"{phase.tokens:,}"] if phase.tokens is not None else []
        rows = [f"{phase.splits[split]:,}" for split in splits]
        table.add_row(str(phase.phase), Text(visible(phase.name, 60)), *rows, *tokens)
    return table


def _scoring(statistics: Statistics, context: ReportContext) -> str:
    if context.scorer == "none" or statistics.signals is None:
        return "not scored"
    toxicity = statistics.signals.toxicity
    note = f"; degraded: {visible(context.scorer_note)}" if context.scorer_note else ""
    unscored = f", {toxicity.unscored:,} not scored" if toxicity.unscored else ""
    return f"{toxicity.scored:,} scored by {visible(context.scorer, 60)}{unscored}{note}"


def _examples(statistics: Statistics) -> str:
    total = statistics.examples.total if statistics.examples else 0
    if statistics.duplicates is None:
        return f"{total:,}"
    removed, asked = statistics.duplicates.removed, sum(statistics.duplicates.contaminated.values())
    duplicates = f"{removed:,} {'duplicate' if removed == 1 else 'duplicates'}"
    also = f", {asked:,} contaminated" if asked else ""
    return f"{total - removed - asked:,} after removing {duplicates}{also}"


def _splits(corpus: Mapping[str, int]) -> str:
    return f"{sum(corpus.values()):,}: " + ", ".join(f"{name} {count:,}" for name, count in corpus.items())
