"""Report: the build's page in the home, and its counts beside the run in Prefect."""

from __future__ import annotations

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from schemas.summary import BuildSummary
from tasks.accounts import BuildReport, write_report
from tasks.running import Run


@task(name="report", cache_policy=NO_CACHE, persist_result=False)
def report_build(run: Run, summary: BuildSummary) -> BuildReport:
    """Write the page and the artifact; also for a build that was stopped, as far as it came."""
    report = write_report(run, summary)
    create_markdown_artifact(
        _markdown(report.summary), key="build-counts", description=f"Build {run.record.build}"
    )
    return report


def _markdown(summary: BuildSummary) -> str:
    """Counts only: what is shown in Prefect's UI never holds chat text."""
    lines = ["| stage | in | out | set aside | parts computed / reused |", "|---|---|---|---|---|"]
    for stage in summary.stages:
        aside = ", ".join(f"{reason} {n}" for reason, n in stage.set_aside.items()) or "-"
        parts = f"{stage.parts.computed} / {stage.parts.reused}"
        lines.append(
            f"| {stage.stage} | {stage.rows_in} {stage.unit} | {stage.rows_out} | {aside} | {parts} |"
        )
    corpus = summary.corpus
    lines += ["", f"Corpus: {corpus.train} train, {corpus.validation} validation, {corpus.test} test."]
    if summary.error:
        lines += ["", f"**Stopped**: {summary.error.splitlines()[0][:300]}"]
    return "\n".join(lines)
