"""A build's counts as Markdown, for the run's page in Prefect.

Prefect's pages render Markdown with HTML, load remote images and make links of addresses, each in its own way; what
both leave alone is code. So text that could mean anything to Markdown is shown as code. (Entities will not do: one of
the pages shows them as they are, the other makes links of what they spell.) Counts only; chat text never comes here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from schemas.summary import BuildSummary, MixtureAccount
from schemas.visible import visible
from tasks.reports.context import ReportContext
from tasks.reports.mixture import told_bounds, told_part
from tasks.reports.reasons import filter_rows, reason_title
from tasks.reports.statistics import Statistics
from tasks.reports.story import sentence

#: Longest text from elsewhere in one cell, and in the error line.
CELL, ERROR = 80, 400
#: Rows of one table, and reasons in one cell: what is beyond is counted together.
ROWS, REASONS = 200, 12
#: Letters and digits of any script and marks that only part words; no slash, so no address, and nothing first.
_WORDS = re.compile(r"[^\W_](?:[\w ,.;:%()'+…–−·‹›-])*|–|")
#: What acts all the same: a list's number, an underscore at a word's edge, the beginning of an address.
_ACTING = re.compile(r"^\d+[.)](?: |$)|(?<![^\W_])_|_(?![^\W_])|\bwww\.", re.IGNORECASE)
LEVELS = ("", "\u2003", "\u2003\u2003")
KINDS = {"masked": "Masked: ", "dropped": "Dropped: "}


def render_markdown(statistics: Statistics, context: ReportContext) -> str:
    """Stages, filtering by reason, corpus, notes, and where the page lies; under 1,000 lines whatever came in."""
    summary = context.summary
    lines = [f"{plain(sentence(statistics), ERROR)}", ""]
    if summary.error:
        lines += [f"**Stopped**: {plain(_first_line(summary.error), ERROR)}", ""]
    lines += [f"- **Warning**: {plain(warning, ERROR)}" for warning in summary.warnings[:ROWS]]
    lines += [""] if summary.warnings else []
    lines += ["### Stages", "", *_stages(summary), "", "### Filtering", "", *_filtering(statistics), ""]
    lines += ["### Corpus", "", _corpus(summary), "", *_mixture(summary.mixture)]
    lines += [f"- {plain(note, ERROR)}" for note in context.notes[:ROWS]]
    lines += ["", *_places(summary)]
    return "\n".join(lines)


def plain(text: object, longest: int = CELL) -> str:
    """Any text as Markdown that shows it and does nothing else: words as they are, all else as code.

    Hidden characters are shown; it stays on one line and is cut beyond `longest` characters.
    """
    shown = _one_line(text, longest)
    return shown if _WORDS.fullmatch(shown) and not _ACTING.search(shown) else code(shown, longest)


def code(text: object, longest: int = 500) -> str:
    """Text as code, whatever it holds: the fence is longer than any run of backticks in it."""
    # A bar would end a table's cell even here.
    shown = _one_line(text, longest).replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", shown)), default=0))
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}" if shown else ""


def _one_line(text: object, longest: int) -> str:
    return " ".join(visible(text, longest).split())


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _stages(summary: BuildSummary) -> list[str]:
    if not summary.stages:
        return ["No stage was done."]
    lines = ["| stage | in | out | set aside | parts made / reused | seconds |", "|---|--:|--:|---|--:|--:|"]
    for stage in summary.stages:
        cells = (
            plain(stage.stage),
            f"{stage.rows_in:,}",
            f"{stage.rows_out:,} {plain(stage.unit)}",
            _aside(stage.set_aside) or "–",
            f"{stage.parts.computed:,} / {stage.parts.reused:,}",
            f"{stage.seconds:.1f}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def _aside(counts: Mapping[str, int]) -> str:
    named = [(reason, count) for reason, count in counts.items() if count]
    told = [f"{count:,} {plain(reason_title(reason).lower())}" for reason, count in named[:REASONS]]
    if rest := sum(count for _, count in named[REASONS:]):
        told.append(f"{rest:,} for {len(named) - REASONS:,} other reasons")
    return ", ".join(told)


def _filtering(statistics: Statistics) -> list[str]:
    rows = filter_rows(statistics.messages)
    lines = ["| messages | count | share |", "|---|--:|--:|"]
    for row in rows[:ROWS]:
        kind = KINDS.get(row.kind, "") if row.level == 1 else ""
        label = plain(f"{kind}{row.label}")
        label = f"**{label}**" if row.level == 0 else LEVELS[row.level] + label
        lines.append(f"| {label} | {row.count:,} | {row.share} |")
    if rest := rows[ROWS:]:
        lines.append(f"| {len(rest):,} more reasons | {sum(row.count for row in rest):,} | |")
    if not statistics.messages.decided:
        lines += ["", "The filter was not reached."]
    return lines


def _corpus(summary: BuildSummary) -> str:
    corpus = summary.corpus
    if not any(corpus.model_dump().values()):
        return "There is none yet."
    return f"{corpus.train:,} train, {corpus.validation:,} validation, {corpus.test:,} test examples."


def _mixture(mixture: MixtureAccount | None) -> list[str]:
    if mixture is None or not mixture.contract:
        return []
    lines = ["| mixture | asked | as a share | got | examples | available |", "|---|--:|--:|--:|--:|--:|"]
    for target in mixture.contract[:ROWS]:
        share = "–" if target.share is None else f"{target.share:.1%}"
        asked, bounds = told_bounds(*target.asked), told_bounds(target.low, target.high, 100, "%")
        counts = f"{target.got:,} | {target.available:,}"
        lines.append(f"| {plain(told_part(target.name))} | {asked} | {bounds} | {share} | {counts} |")
    if rest := mixture.contract[ROWS:]:
        lines.append(f"| {len(rest):,} more | | | | | |")
    return [*lines, ""]


def _places(summary: BuildSummary) -> Sequence[str]:
    if not summary.report:
        return []
    return [f"Report: {code(summary.report)}", "", "All builds: `vatra report --serve`"]
