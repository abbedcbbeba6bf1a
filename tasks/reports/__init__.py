"""The reports room: from a build's tables and summary to a terminal table and one offline HTML page."""

from tasks.reports.builds import render_builds, render_problem
from tasks.reports.collecting import collect_statistics
from tasks.reports.comparison import render_comparison
from tasks.reports.context import ReportContext
from tasks.reports.lines import BuildLine, TrainedLine
from tasks.reports.markdown import render_markdown
from tasks.reports.mixture import account_of_mixture
from tasks.reports.page import render_page
from tasks.reports.statistics import Statistics
from tasks.reports.tables import Tables
from tasks.reports.terminal import render_terminal
from tasks.reports.validation import render_validation_page

__all__ = [
    "BuildLine",
    "ReportContext",
    "Statistics",
    "Tables",
    "TrainedLine",
    "account_of_mixture",
    "collect_statistics",
    "render_builds",
    "render_comparison",
    "render_markdown",
    "render_page",
    "render_problem",
    "render_terminal",
    "render_validation_page",
]
