"""What the thin tasks share: a run, a step, and `perform`, which makes the step's dataset stand.

A step knows which tables it reads and which stages make them. Since a fingerprint follows from settings and the
fingerprints of the inputs, all of a build's fingerprints are known before any work is done; tasks find their
inputs by them, so nothing but names travels through Prefect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from schemas.errors import StoreError
from schemas.ledger import draw_ledger
from schemas.manifest import BuildRecord
from schemas.settings import BuildSettings
from schemas.settings.sources import Source
from schemas.summary import StageSummary
from storage.crashes import bugs_kept_private
from storage.datasets import Dataset, find_dataset
from storage.home import Home
from storage.materialize import Materialized, materialize
from storage.stages import Stage, Unit, aligned_units, corpus_unit, fingerprint
from storage.store import Store
from tasks.exports import file_keys
from tasks.progress import listener


@dataclass(frozen=True)
class Run:
    """One build under way: its plan, its settings, and the machine's means."""

    home: Home
    record: BuildRecord
    settings: BuildSettings
    scorer_digest: str = "none"
    workers: int = 1

    @property
    def store(self) -> Store:
        """Where datasets lie."""
        return self.home.store

    def dataset(self, stage: str) -> Dataset:
        """The dataset that this build has for a stage. Raises StoreError when it does not stand."""
        found = find_dataset(self.store, stage, self.record.stages[stage])
        if found is None:
            raise StoreError(
                f"the {stage} dataset of this build is not in the store",
                where=self.record.build,
                fix="Run `vatra build` again.",
            )
        return found


@dataclass(frozen=True)
class Step:
    """A stage in its place: `reads` maps tables to the stages that make them.

    `rows_in` counts what the ledger starts from, on the inputs (None: parse counts what the files hold).
    """

    stage: Stage
    settings: Callable[[Run], BaseModel]
    reads: Mapping[str, str]
    rows_in: Callable[[Run], int] | None = None
    context: Callable[[Run], Any] = lambda run: None

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.stage.name


def perform(step: Step, run: Run, units: list[Unit] | None = None) -> StageSummary:
    """Make the step's dataset stand and say what came of it. Raises VatraError."""
    with bugs_kept_private():
        return _perform(step, run, units)


def _perform(step: Step, run: Run, units: list[Unit] | None) -> StageSummary:
    # Great Expectations takes seconds to import: only when a stage is really run.
    from tasks.checks import StageSuite

    listener().started(step.name)
    begun = time.monotonic()
    sources = {table: run.dataset(stage) for table, stage in step.reads.items()}
    if units is None:
        units = corpus_unit(**sources) if step.stage.kind == "corpus" else aligned_units(**sources)
    made = materialize(
        run.store,
        step.stage,
        step.settings(run),
        stage_inputs(step, run.record),
        units,
        StageSuite(step.name, step.rows_in(run) if step.rows_in else None),
        context=step.context(run),
        workers=run.workers,
        progress=lambda done, total: listener().advanced(step.name, done, total),
    )
    summary = summarise_stage(step, run, made, time.monotonic() - begun)
    listener().finished(summary)
    return summary


def summarise_stage(step: Step, run: Run, made: Materialized, seconds: float) -> StageSummary:
    """The stage's line in the build's summary, from its manifest."""
    ledger = draw_ledger(
        step.name, made.dataset.manifest.summary, step.rows_in(run) if step.rows_in else None
    )
    return StageSummary(
        stage=step.name,
        fingerprint=made.dataset.manifest.fingerprint,
        cached=made.cached,
        parts=made.parts,
        unit=ledger.unit,
        rows_in=ledger.rows_in,
        rows_out=ledger.rows_out,
        set_aside=ledger.set_aside,
        seconds=round(seconds, 3),
    )


def rows_of(table: str, stage: str) -> Callable[[Run], int]:
    """Counts the rows of a table as its manifest has them."""
    return lambda run: run.dataset(stage).rows(table)


def plan_fingerprint(step: Step, run: Run) -> str:
    """The fingerprint that the step's dataset has in this run; the stages before it must be planned already."""
    return fingerprint(step.stage, step.settings(run), stage_inputs(step, run.record))


def stage_inputs(step: Step, record: BuildRecord) -> dict[str, Any]:
    """What a fingerprint says of a stage's inputs: other fingerprints, or for parse the files by content."""
    if step.reads:
        return {stage: record.stages[stage] for stage in sorted(set(step.reads.values()))}
    declared = record.settings.get("sources") or {}
    sources = {name: Source.model_validate(value) for name, value in declared.items()}
    return {"files": file_keys(record.inputs, sources)}
