"""An earlier build, told again from what stands in the store."""

from __future__ import annotations

from flows.pipeline import TRAININGS, pipeline_for
from flows.stage_names import STAGE_NAMES
from schemas.summary import BuildSummary, PartCounts
from storage.catalog import read_build, settings_of, stands
from storage.home import Home
from storage.materialize import Materialized
from tasks.accounts import BuildReport, write_report
from tasks.running import Run, summarise_stage
from tasks.training import summarise_training, trained_account, trained_folder
from tasks.training_kinds import KINDS


def report_again(home: Home, build: str) -> BuildReport:
    """The summary and statistics of a build, and its page written again. Raises UsageError."""
    record = read_build(home.store, build)
    run = Run(home, record, settings_of(record))
    stages = []
    for step, _ in pipeline_for(run.settings):
        if step.name not in TRAININGS and stands(run.store, record, step.name):
            dataset = run.dataset(step.name)
            made = Materialized(dataset, True, PartCounts(reused=len(dataset.manifest.parts)))
            stages.append(summarise_stage(step, run, made, 0.0))
    trained = {kind: found for kind in KINDS if (found := trained_account(kind, run)) is not None}
    stages += [summarise_training(kind, run, account, True, 0.0) for kind, account in trained.items()]
    done = {stage.stage for stage in stages}
    missing = [name for name in STAGE_NAMES if name in record.stages and name not in done]
    # Training may be another run's, which waits or is still at it: the build itself is done.
    untrained = [kind for kind in KINDS if kind.stage in missing] if set(missing) <= set(TRAININGS) else []
    summary = BuildSummary(
        build=record.build,
        home=str(home.path),
        stages=stages,
        artifacts=[str(trained_folder(kind, run)) for kind in trained],
        error=f"this build stopped before {missing[0]} was done" if missing and not untrained else None,
    )
    return write_report(run, summary, [f"The {kind.word} is not trained yet." for kind in untrained])
