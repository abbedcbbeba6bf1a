"""An earlier build, told again from what stands in the store."""

from __future__ import annotations

from flows.pipeline import pipeline_for
from schemas.settings import BuildSettings
from schemas.summary import BuildSummary, PartCounts
from storage.artifacts import find_artifact
from storage.catalog import read_build, stands
from storage.home import Home
from storage.materialize import Materialized
from tasks.accounts import BuildReport, write_report
from tasks.running import Run, summarise_stage
from tasks.training import TRAIN_LORA, adapter_folder


def report_again(home: Home, build: str) -> BuildReport:
    """The summary and statistics of a build, and its page written again. Raises UsageError."""
    record = read_build(home.store, build)
    run = Run(home, record, BuildSettings.model_validate(record.settings))
    stages = []
    for step, _ in pipeline_for(run.settings):
        if step.name != TRAIN_LORA.name and stands(run.store, record, step.name):
            dataset = run.dataset(step.name)
            made = Materialized(dataset, True, PartCounts(reused=len(dataset.manifest.parts)))
            stages.append(summarise_stage(step, run, made, 0.0))
    trained = find_artifact(run.store, TRAIN_LORA.name, record.stages.get(TRAIN_LORA.name, "none"))
    artifacts = [str(adapter_folder(run))] if trained else []
    summary = BuildSummary(build=record.build, home=str(home.path), stages=stages, artifacts=artifacts)
    return write_report(run, summary)
