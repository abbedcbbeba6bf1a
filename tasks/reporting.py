"""Report: the build's page in the home, and its counts beside the run in Prefect."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from schemas.summary import BuildSummary
from storage.crashes import bugs_kept_private
from tasks.accounts import BuildReport, write_report
from tasks.reports import render_markdown
from tasks.reports.markdown import plain
from tasks.running import Run


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report_build(run: Run, summary: BuildSummary, notes: Sequence[str] = ()) -> BuildReport:
    """Write the page and the artifact; also for a build that was stopped, as far as it came.

    The artifact holds counts only: what is shown in Prefect's UI never holds chat text.
    """
    with bugs_kept_private():
        report = write_report(run, summary, notes)
        markdown = render_markdown(report.statistics, report.context)
    create_markdown_artifact(
        markdown,
        key="build-counts",
        description=f"Build {plain(run.record.build)}",
    )
    return report
