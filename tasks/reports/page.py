"""The report of a build: one HTML page that asks no other host for anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tasks.reports.charts import Chart, length_chart, toxicity_chart
from tasks.reports.context import ReportContext
from tasks.reports.reasons import FAMILIES, by_decider, filter_rows
from tasks.reports.statistics import RuleStatistics, Statistics
from tasks.reports.story import counts_millions, funnel, sentence
from tasks.reports.templates import environment, stylesheet
from tasks.reports.validation import failures

SECTIONS = (
    ("funnel", "Funnel"),
    ("drops", "Drops"),
    ("rules", "Rules"),
    ("toxicity", "Toxicity"),
    ("lengths", "Languages & lengths"),
    ("sources", "Sources & splits"),
    ("duplicates", "Duplicates"),
    ("mixture", "Mixture"),
    ("validation", "Validation"),
    ("files", "Files read"),
    ("settings", "Settings & fingerprints"),
)
#: Columns of the file table: key, heading. Other plain values of a file follow them.
FILE_COLUMNS = (
    ("format", "Format"), ("source", "Source"), ("encoding", "Encoding"), ("bytes", "Size"), ("seen", "Seen"),
    ("kept", "Kept"), ("empty", "Empty"), ("failed", "Failed"), ("duplicate", "Duplicate"),
    ("left_out", "Left out"), ("messages", "Messages"),
)  # fmt: skip
FILE_DETAILS = ("failures", "warnings")


def render_page(statistics: Statistics, context: ReportContext) -> str:
    """The page as text. The same statistics and context give the same bytes."""
    ledger = statistics.messages
    return (
        environment()
        .get_template("page.html")
        .render(
            style=stylesheet(),
            title=context.summary.build or "Build",
            sections=SECTIONS,
            statistics=statistics,
            context=context,
            summary=context.summary,
            sentence=sentence(statistics),
            funnel=(groups := funnel(statistics)),
            millions=counts_millions(groups),
            rows=filter_rows(ledger),
            masked=by_decider(ledger.reasons, "masked"),
            dropped=by_decider(ledger.reasons, "dropped"),
            kept=by_decider(ledger.reasons, "kept"),
            families=_families(statistics, context),
            toxicity_charts=_toxicity_charts(statistics, context),
            lengths=_lengths(statistics),
            failures=failures(context.validations),
            validations=context.validations,
            file_columns=_file_columns(context),
            settings=json.dumps(context.settings, indent=2, ensure_ascii=False, default=str),
        )
    )


def _families(statistics: Statistics, context: ReportContext) -> list[dict[str, Any]]:
    """Families with their rules by messages hit, and the rules that were looked for in vain."""
    found: dict[str, list[RuleStatistics]] = {}
    for rule in statistics.signals.rules if statistics.signals else ():
        found.setdefault(rule.family, []).append(rule)
    heard = {rule.rule for rules in found.values() for rule in rules}
    silent: dict[str, list[str]] = {}
    for name in context.rules:
        if name not in heard:
            silent.setdefault(name.partition(":")[0], []).append(name.partition(":")[2])
    names = dict.fromkeys([*FAMILIES, *found, *silent])
    return [
        {
            "title": FAMILIES.get(name, name or "Other rules"),
            "rules": found.get(name, []),
            "silent": silent.get(name, []),
        }
        for name in names
        if name in found or name in silent
    ]


def _toxicity_charts(statistics: Statistics, context: ReportContext) -> list[tuple[str, Chart]]:
    if statistics.signals is None:
        return []
    histogram = statistics.signals.toxicity.histogram
    first = [role for role in ("assistant", "user") if role in histogram]
    roles = first + [role for role in histogram if role not in first]
    return [(role, toxicity_chart(role, histogram[role], context.threshold)) for role in roles]


def _lengths(statistics: Statistics) -> Chart | None:
    if statistics.signals is None or not statistics.signals.messages:
        return None
    speakers = [row for row in statistics.signals.lengths if row.role in ("user", "assistant")]
    return length_chart({row.role: row.bins for row in speakers or statistics.signals.lengths})


def _file_columns(context: ReportContext) -> list[tuple[str, str]]:
    """Columns that at least one file fills."""
    filled = {key for file in context.files for key, value in file.items() if value is not None}
    known = [(key, title) for key, title in FILE_COLUMNS if key in filled]
    taken = {"label", *FILE_DETAILS, *(key for key, _ in FILE_COLUMNS)}
    others = sorted(key for key in filled - taken if all(_plain(file, key) for file in context.files))
    return known + [(key, key.replace("_", " ").capitalize()) for key in others]


def _plain(file: Mapping[str, Any], key: str) -> bool:
    return isinstance(file.get(key), (str, int, float, type(None)))
