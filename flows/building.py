"""What the flows `build-corpus` and `run-stage` share: run the stages of a plan in order, notify, report."""

from __future__ import annotations

from collections.abc import Sequence

from flows.outcomes import log_failures_in_a_line
from flows.pipeline import TRAININGS, pipeline_for
from flows.trainings import hand_over
from schemas.errors import VatraError
from schemas.summary import BuildSummary, StageSummary
from schemas.visible import visible
from storage.store import translated
from tasks.accounts import BuildReport
from tasks.notifying import notify_of_build
from tasks.reporting import report_build
from tasks.running import Run
from tasks.training import trained_folder


class BuildFailed(VatraError):
    """A build that stopped, with everything that can be said of it."""

    def __init__(
        self, cause: VatraError, summary: BuildSummary, report: BuildReport | None, notes: Sequence[str] = ()
    ) -> None:
        super().__init__(
            cause.what, where=cause.where, fix=" ".join([*filter(None, [cause.fix]), *notes]) or None
        )
        self.exit_code, self.report = cause.exit_code, report
        self.summary = report.summary if report else summary


def run_stages(run: Run) -> BuildReport:
    """Make every stage of the plan stand, and report.

    Raises BuildFailed; the report of a failed build is written too, as far as the build came.
    """
    log_failures_in_a_line()
    summary = BuildSummary(build=run.record.build, home=str(run.home.path))
    stages: list[StageSummary] = []
    try:
        for step, task in pipeline_for(run.settings):
            if step.name not in run.record.stages:
                continue
            training = TRAININGS.get(step.name)
            trains_elsewhere = hand_over(training.kind, run) if training else None
            if trains_elsewhere is not None:
                runs = [*summary.handed_over, trains_elsewhere]
                summary = summary.model_copy(update={"handed_over": runs})
                continue
            with translated(f"finish {step.name}", str(run.home.path)):
                stages.append(task(run))
    except VatraError as error:
        stopped = summary.model_copy(update={"stages": stages, "error": str(error)})
        notes = notify_of_build(run.home, run.settings.notify, run.record, str(error))
        raise BuildFailed(error, stopped, _report_failure(run, stopped, notes), notes) from error
    made = [TRAININGS[stage.stage].kind for stage in stages if stage.stage in TRAININGS]
    artifacts = [str(trained_folder(kind, run)) for kind in made]
    notes = notify_of_build(run.home, run.settings.notify, run.record)
    done = summary.model_copy(update={"stages": stages, "artifacts": artifacts})
    try:
        return report_build(run, done, notes)
    except VatraError as error:
        raise BuildFailed(error, done.model_copy(update={"error": str(error)}), None, notes) from error


def tell(report: BuildReport) -> str:
    """One line for the state of a run that a worker did."""
    summary = report.summary
    line = f"Build {summary.build}: {summary.stages[-1].stage} done"
    if summary.corpus.train:
        counts = summary.corpus
        line = (
            f"Build {summary.build}: {counts.train:,} train, {counts.validation:,} validation, "
            f"{counts.test:,} test examples"
        )
    runs = " and the run ".join(summary.handed_over)
    training = f"; training handed over to the run {runs}" if runs else ""
    warned = f" Warning: {visible(summary.warnings[0], 400)}" if summary.warnings else ""
    more = f" {len(summary.warnings) - 1} more in the report." if len(summary.warnings) > 1 else ""
    return f"{line}{training}.{warned}{more} Report: {summary.report}"


def _report_failure(run: Run, summary: BuildSummary, notes: Sequence[str]) -> BuildReport | None:
    """The report of a stopped build; when that fails too (a full disk), the first error is what counts."""
    try:
        return report_build(run, summary, notes)
    except (VatraError, OSError):
        return None
