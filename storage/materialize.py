"""The one place that makes a dataset.

If the manifest stands, and its parts with it, the dataset is returned. Else each unit that is not remembered is
computed, its parts are written under names that no reader looks at, checked, published under their content's name and
remembered; the manifest is put last, if absent. A crash at any moment leaves nothing that reads as done, and the rerun
computes only the units that were not finished. A part that was lost or damaged is made again in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from schemas.errors import ExpectationFailed, StoreError
from schemas.ids import canonical_json, hash_json
from schemas.ledger import SET_ASIDE, with_prefix
from schemas.manifest import Manifest, PartRecord, TableFile, UnitRecord
from schemas.summary import ExpectationResult, PartCounts, ValidationResult
from storage.datasets import (
    Dataset,
    dataset_folder,
    find_dataset,
    is_whole,
    read_manifest,
    read_table,
    read_validation,
)
from storage.execution import Job, run_units
from storage.failpoints import reach
from storage.stages import Stage, Suite, Unit, fingerprint, identity, library_versions
from storage.store import Store

#: Called with (bytes of input done, bytes in all).
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Materialized:
    """A dataset that stands, and what it took to make it stand."""

    dataset: Dataset
    cached: bool
    parts: PartCounts


def materialize(
    store: Store,
    stage: Stage,
    settings: BaseModel,
    inputs: Mapping[str, Any],
    units: Sequence[Unit],
    suite: Suite,
    *,
    context: Any = None,
    workers: int = 1,
    progress: Progress = lambda done, total: None,
) -> Materialized:
    """The dataset of `stage` over `units`. Raises ExpectationFailed, StoreError, or what the function raises."""
    mark = fingerprint(stage, settings, dict(inputs))
    standing = _standing(store, stage.name, mark)
    if standing is not None:
        return Materialized(Dataset(store, standing), True, PartCounts(reused=len(standing.parts)))
    run = _Run(store, stage, settings, mark, suite)
    done = run.remembered(units)
    computed = 0
    missing = [(number, unit) for number, unit in enumerate(units) if number not in done]
    total = max(1, sum(unit.size for _, unit in missing))
    store.sweep_staging()
    meter = _Meter(total, progress)
    with store.staging() as staging:
        job = Job(store, stage, settings, context, staging)
        for number, staged in run_units(job, missing, workers, meter.within):
            done[number] = run.publish_unit(units[number], staged)
            computed += len(staged)
            meter.finished(units[number].size)
    records = [done[number] for number in range(len(units))]
    reused = sum(len(r.parts) for r in records) - computed
    dataset = run.publish(records, dict(inputs))
    return Materialized(dataset, False, PartCounts(computed=computed, reused=reused))


def _standing(store: Store, stage: str, mark: str) -> Manifest | None:
    """The manifest, when all of its dataset stands; records that are damaged are moved out of the new ones' way."""
    try:
        manifest = read_manifest(store, stage, mark)
        if manifest is None and not store.exists(f"{dataset_folder(stage, mark)}/validation.json"):
            return None
        read_validation(store, stage, mark)
    except StoreError:
        for name in ("manifest.json", "validation.json"):
            path = f"{dataset_folder(stage, mark)}/{name}"
            if store.exists(path):
                store.set_aside(path)
        return None
    return manifest if manifest is not None and is_whole(store, manifest.parts) else None


@dataclass(frozen=True)
class _Run:
    store: Store
    stage: Stage
    settings: BaseModel
    fingerprint: str
    suite: Suite

    def remembered(self, units: Sequence[Unit]) -> dict[int, UnitRecord]:
        """Units that an earlier run has finished, with all their parts still there."""
        if self.stage.kind == "corpus":
            return {}
        found = {}
        for number, unit in enumerate(units):
            try:
                record = UnitRecord.model_validate_json(self.store.read(self._unit_path(unit)))
            except (FileNotFoundError, ValidationError):
                continue
            if is_whole(self.store, record.parts):
                found[number] = record
        return found

    def publish_unit(self, unit: Unit, staged: list[PartRecord]) -> UnitRecord:
        """Check the parts, give them their final names, remember the unit (row stages)."""
        results = []
        for part in staged:
            result = self._check(part)
            if not result.success:
                self._reject(result, part)
            results.append(result)
        reach("part-checked")
        parts = tuple(self._publish_part(index, part) for index, part in enumerate(staged))
        merged = merge_validations(self.stage.name, results)
        record = UnitRecord(unit=self._unit_key(unit), parts=parts, validation=merged.model_dump())
        if self.stage.kind == "row":
            self.store.put_if_absent(self._unit_path(unit), canonical_json(record.model_dump()))
            reach("unit-recorded")
        return record

    def publish(self, records: Sequence[UnitRecord], inputs: dict[str, Any]) -> Dataset:
        """Check the whole, then put the manifest: the publication."""
        parts = tuple(part for record in records for part in record.parts)
        summary = summarise(parts)
        rows = [ValidationResult.model_validate(record.validation) for record in records]
        whole = self.suite.check_summary(summary)
        result = merge_validations(self.stage.name, [*rows, whole])
        if not result.success:
            self._reject(result, None, with_prefix(summary, SET_ASIDE))
        manifest = Manifest(
            stage=self.stage.name,
            version=self.stage.version,
            fingerprint=self.fingerprint,
            settings=self.settings.model_dump(mode="json"),
            libraries=library_versions(self.stage),
            inputs=inputs,
            parts=parts,
            summary=summary,
        )
        folder = dataset_folder(self.stage.name, self.fingerprint)
        self.store.put_if_absent(f"{folder}/validation.json", canonical_json(result.model_dump()))
        self.store.put_if_absent(f"{folder}/manifest.json", canonical_json(manifest.model_dump()))
        reach("manifest-put")
        published = find_dataset(self.store, self.stage.name, self.fingerprint)
        assert published is not None
        return published

    def _check(self, part: PartRecord) -> ValidationResult:
        """Run the suite on the part as it was written; its tables are let go of before the next one is read."""
        return self.suite.check_part(
            {name: read_table(self.store, file, name) for name, file in part.tables.items()}
        )

    def _publish_part(self, index: int, part: PartRecord) -> PartRecord:
        tables = {}
        for table, file in part.tables.items():
            if self.stage.kind == "corpus":
                folder = dataset_folder(self.stage.name, self.fingerprint)
                path = f"{folder}/{part.label or f'{table}-{index:05d}'}-{file.digest}.parquet"
            else:
                path = f"datasets/{self.stage.name}/parts/{table}-{file.digest}.parquet"
            self.store.publish(file.path, path, file.digest)
            tables[table] = TableFile(path=path, digest=file.digest, rows=file.rows, bytes=file.bytes)
            reach("part-published")
        return PartRecord(tables=tables, tally=part.tally, label=part.label)

    def _reject(
        self, result: ValidationResult, part: PartRecord | None, reasons: Mapping[str, int] | None = None
    ) -> None:
        """Keep what was refused where a person can look at it, publish nothing, and say why."""
        folder = f"rejected/{self.stage.name}/{self.fingerprint}"
        self.store.remove(f"{folder}/validation.json")
        self.store.put_if_absent(f"{folder}/validation.json", canonical_json(result.model_dump()))
        if part is not None:
            for table, file in part.tables.items():
                self.store.publish(file.path, f"{folder}/{table}-{file.digest}.parquet", file.digest)
        aside = ", ".join(f"{reason} {count}" for reason, count in list((reasons or {}).items())[:4])
        raise ExpectationFailed(
            f"{self.stage.name}: {describe_failures(result)}" + (f"; set aside: {aside}" if aside else ""),
            where=self.store.full(folder),
            fix="Nothing was published. The refused rows and validation.json lie there.",
        )

    def _unit_key(self, unit: Unit) -> str:
        return hash_json({**identity(self.stage, self.settings), "unit": list(unit.key)})

    def _unit_path(self, unit: Unit) -> str:
        return f"datasets/{self.stage.name}/units/{self._unit_key(unit)}.json"


def summarise(parts: Sequence[PartRecord]) -> dict[str, int]:
    """The parts' tallies added up, with the rows of each table as really written (`rows:<table>`)."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part.tally)
        total.update({f"rows:{table}": file.rows for table, file in part.tables.items()})
    return dict(sorted(total.items()))


def merge_validations(stage: str, results: Sequence[ValidationResult]) -> ValidationResult:
    """The results of many parts as one: an expectation holds if it held everywhere."""
    merged: dict[tuple[str, str], ExpectationResult] = {}
    for result in (item for validation in results for item in validation.results):
        key = (result.table, result.name)
        if key not in merged:
            merged[key] = result.model_copy()
            continue
        old = merged[key]
        merged[key] = ExpectationResult(
            name=old.name,
            table=old.table,
            success=old.success and result.success,
            checked=old.checked + result.checked,
            unexpected=old.unexpected + result.unexpected,
            sample_ids=(old.sample_ids + result.sample_ids)[:5],
            error=old.error or result.error,
            observed=old.observed or result.observed,
        )
    results_in_order = list(merged.values())
    return ValidationResult(
        stage=stage, success=all(r.success for r in results_in_order), results=results_in_order
    )


def describe_failures(result: ValidationResult) -> str:
    """One line: which expectations failed, on how many rows, with a few ids."""
    failures = []
    for item in (item for item in result.results if not item.success):
        if item.error:
            failures.append(f"'{item.name}' could not be checked on {item.table} ({item.error})")
            continue
        if item.observed is not None:
            failures.append(f"'{item.name}' does not hold ({item.observed})")
            continue
        ids = f", first: {', '.join(item.sample_ids[:3])}" if item.sample_ids else ""
        failures.append(
            f"'{item.name}' failed for {item.unexpected} of {item.checked} {item.table} rows{ids}"
        )
    return "; ".join(failures[:3]) + (f"; and {len(failures) - 3} more" if len(failures) > 3 else "")


class _Meter:
    """Adds up what is reported within a unit and what is finished, without counting a byte twice."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._total, self._progress = total, progress
        self._done, self._within = 0, 0.0
        progress(0, total)

    def within(self, amount: float) -> None:
        """So many bytes more of the unit under way."""
        self._within += amount
        self._progress(min(int(self._done + self._within), self._total), self._total)

    def finished(self, size: int) -> None:
        """A whole unit of `size` bytes is published."""
        self._done, self._within = self._done + size, 0.0
        self._progress(min(self._done, self._total), self._total)
