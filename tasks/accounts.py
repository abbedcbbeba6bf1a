"""A build's account: its tables as far as they stand, its counts, and the page that shows them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa

from schemas.settings.loading import resolve_rules
from schemas.summary import BuildSummary, ValidationResult
from schemas.tables import SPLITS
from schemas.totals import corpus_totals, import_totals, message_totals
from storage.artifacts import find_artifact
from storage.catalog import stands
from storage.datasets import Dataset
from storage.rows import take_rows
from storage.store import translated
from tasks.files_read import files_read
from tasks.mixing.frozen import read_frozen
from tasks.openings import fill_clusters
from tasks.reports import (
    ReportContext,
    Statistics,
    account_of_mixture,
    collect_statistics,
    render_page,
)
from tasks.reports.mixture import told_part
from tasks.running import Run
from tasks.shortfalls import find_shortfalls
from tasks.training_kinds import LORA, NOVA
from tasks.trainings import trainings_of

#: Said wherever an adapter on the demo base is shown.
DEMO_BASE = "The adapter stands on the demo base, a tiny model with random weights: it teaches nothing."

#: Which stage makes each table.
MADE_BY = {
    "imports": "parse", "conversations": "parse", "messages": "parse", "standing": "reconcile", "signals": "score",
    "verdicts": "filter", "examples": "assemble", "placements": "assemble", "clusters": "dedup",
    "contaminated": "dedup", "labels": "label", "mixture": "mix",
    "targets": "mix", "portions": "mix", "left_out": "mix", **dict.fromkeys(SPLITS, "mix"),
}  # fmt: skip


class BuildTables:
    """The tables of a build, as far as it has come."""

    def __init__(self, run: Run) -> None:
        self._datasets: dict[str, Dataset] = {
            stage: run.dataset(stage)
            for stage in sorted(set(MADE_BY.values()))
            if stands(run.store, run.record, stage)
        }

    def has(self, table: str) -> bool:
        """Whether the stage that makes the table stands."""
        return MADE_BY[table] in self._datasets

    def scan(self, table: str, columns: Sequence[str] | None) -> Iterator[pa.Table]:
        """The parts of a table, in order, with some columns (None: all)."""
        return self._datasets[MADE_BY[table]].scan(table, columns)

    def rows(self, table: str) -> int:
        """Rows of a table over all parts."""
        return self._datasets[MADE_BY[table]].rows(table)

    def column(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Narrow columns of a whole table."""
        return self._datasets[MADE_BY[table]].column(table, columns)

    def take(self, table: str, rows: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        """Single rows of a table, by their number over all parts."""
        return take_rows(self._datasets[MADE_BY[table]], table, rows, columns)

    def dataset(self, stage: str) -> Dataset | None:
        """A stage's dataset, if it stands."""
        return self._datasets.get(stage)

    def summaries(self) -> dict[str, dict[str, int]]:
        """The summary in the manifest of each stage that stands."""
        return {stage: found.manifest.summary for stage, found in self._datasets.items()}


def count(run: Run, summary: BuildSummary) -> BuildSummary:
    """The summary with imports, messages and corpus counted from the manifests that stand."""
    tables = BuildTables(run)
    found = tables.summaries()
    return summary.model_copy(
        update={
            "imports": import_totals(found),
            "messages": message_totals(found),
            "corpus": corpus_totals(found),
            "mixture": account_of_mixture(tables),
        }
    )


@dataclass(frozen=True)
class BuildReport:
    """A build told: its summary, and what the terminal table and the page are drawn from."""

    summary: BuildSummary
    statistics: Statistics
    context: ReportContext


def write_report(run: Run, summary: BuildSummary, notes: Sequence[str] = ()) -> BuildReport:
    """Count the build from its manifests and write its page into the home's reports; `notes` are told with it."""
    summary = count(run, summary)
    path = run.home.reports / f"{run.record.build}.html"
    trained = {
        "adapters": trainings_of(run.home, LORA, run.record),
        "models": trainings_of(run.home, NOVA, run.record),
    }
    summary = summary.model_copy(update={"report": str(path), **trained})
    tables = BuildTables(run)
    context = report_context(run, summary, tables, notes)
    statistics = collect_statistics(tables, context)
    if statistics.duplicates is not None:
        shown = fill_clusters(tables, statistics.duplicates.shown)
        statistics = replace(statistics, duplicates=replace(statistics.duplicates, shown=shown))
    warnings = find_shortfalls(tables, summary, statistics, run.settings, _frozen_in_vain(tables))
    summary = summary.model_copy(update={"warnings": warnings})
    context = replace(context, summary=summary)
    page = render_page(statistics, context)
    with translated("write the report", str(path)):
        temporary = path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(page, "utf-8")
        temporary.replace(path)
    return BuildReport(summary, statistics, context)


def report_context(
    run: Run, summary: BuildSummary, tables: BuildTables, notes: Sequence[str] = ()
) -> ReportContext:
    """What the page says beyond the tables."""
    labels: dict[str, list[str]] = {}
    for file in run.record.inputs:
        labels.setdefault(file.digest, []).append(file.label)
    validations = [found.validation() for stage in _order(summary) if (found := tables.dataset(stage))]
    refused = _refused(run, summary)
    return ReportContext(
        summary=summary,
        settings=run.record.settings,
        validations=[*validations, *refused],
        scorer=run.settings.toxicity.scorer,
        created=f"{datetime.fromisoformat(run.record.created):%d %B %Y, %H:%M} UTC",
        files=files_read(tables, labels),
        skipped=run.record.skipped,
        notes=[
            *run.record.notes,
            *_given_up(summary),
            *_frozen(run, tables),
            *_notes(run),
            *_handed_over(summary),
            *notes,
        ],
        rules=[
            f"{f}:{rule.name}"
            for f in ("blacklist", "slop")
            for rule in resolve_rules(f, getattr(run.settings, f))
        ],
    )


def _order(summary: BuildSummary) -> list[str]:
    return [stage.stage for stage in summary.stages]


def _notes(run: Run) -> list[str]:
    """What a person must know of the result and would not see in the counts."""
    trained = find_artifact(run.store, LORA.stage, run.record.stages.get(LORA.stage, "none"))
    if trained is None:
        return []
    notes = [DEMO_BASE] if trained["base_is_demo"] else []
    if left_out := trained["replies_left_out"]:
        replies = left_out + trained["replies"]
        notes.append(
            f"{left_out} of {replies} replies lay beyond the preset's max_length and were not trained on."
        )
    return notes


def _frozen(run: Run, tables: BuildTables) -> list[str]:
    """How many frozen ids keep their splits."""
    kept = run.settings.mix.frozen
    if kept is None or tables.dataset("mix") is None or not run.store.exists(kept):
        return []
    found = read_frozen(run.store.read(kept)).num_rows - _frozen_in_vain(tables)
    return [f"mix.frozen: {found:,} {'id keeps its split' if found == 1 else 'ids keep their splits'}."]


def _frozen_in_vain(tables: BuildTables) -> int:
    return tables.summaries().get("mix", {}).get("frozen_unknown", 0)


def _handed_over(summary: BuildSummary) -> list[str]:
    """Who trains, when it is not the build itself."""
    if not summary.handed_over:
        return []
    again = f"when it is done, `vatra report {summary.build}` shows what it made"
    runs = " and ".join(f"flow run {name}" for name in summary.handed_over)
    return [f"Training was handed over to the worker: {runs} (see `vatra status`); {again}."]


def _given_up(summary: BuildSummary) -> list[str]:
    """What the mixture's contract could not have, or what limits it."""
    targets = summary.mixture.targets if summary.mixture else []
    told = [target for target in targets if target.remark]
    return [f"Mixture{f', {told_part(t.name)}' if t.kind != 'total' else ''}: {t.remark}." for t in told]


def _refused(run: Run, summary: BuildSummary) -> list[ValidationResult]:
    """The validation that stopped the build, if one did."""
    if summary.error is None:
        return []
    found = []
    for stage, mark in run.record.stages.items():
        path = f"rejected/{stage}/{mark}/validation.json"
        if stage not in _order(summary) and run.store.exists(path):
            found.append(ValidationResult.model_validate_json(run.store.read(path)))
    return found
