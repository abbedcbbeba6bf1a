"""All builds of a store as lines, newest first: from plans and manifests alone, no Parquet is opened."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import ValidationError

from schemas.errors import StoreError, UsageError
from schemas.manifest import BuildRecord
from schemas.summary import ValidationResult
from schemas.totals import Summaries, corpus_totals, deciding_stage, import_totals, message_totals
from storage.catalog import list_builds
from storage.datasets import dataset_folder
from storage.heads import Heads, ManifestHead
from storage.store import Store
from tasks.reports import BuildLine
from tasks.reports.lines import State
from tasks.training_kinds import LORA, NOVA

#: What a build may be called in an address.
ADDRESSABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Overview:
    """The list of builds; `order` is that of the stages. Asked again, it reads only what is new."""

    def __init__(self, store: Store, order: Sequence[str]) -> None:
        self._heads, self._order = Heads(store), order

    def lines(self) -> list[BuildLine]:
        """One line per build. A damaged build is a line that says so."""
        return [self.line(build) for build in list_builds(self._heads.store)]

    def line(self, build: str) -> BuildLine:
        """The line of one build."""
        addressable = ADDRESSABLE.fullmatch(build) is not None
        try:
            record = self._heads.record(build)
        except (StoreError, UsageError) as error:
            return BuildLine(build, state="damaged", problem=error.what, addressable=addressable)
        heads, problem = standing_heads(self._heads, record)
        summaries: Summaries = {stage: head.summary for stage, head in heads.items()}
        state, stage, told = self._state(record, heads)
        adapter = heads[LORA.stage].account if LORA.stage in heads else None
        return BuildLine(
            build,
            created=record.created,
            parent=record.parent,
            state="damaged" if problem else state,
            stage=stage,
            problem=problem or told,
            imports=import_totals(summaries),
            messages=message_totals(summaries),
            corpus=corpus_totals(summaries) if "mix" in summaries else None,
            adapter=("demo" if adapter.base_is_demo else "trained") if adapter else None,
            nova=NOVA.stage in heads,
            decided=deciding_stage(summaries),
            addressable=addressable,
        )

    def _state(
        self, record: BuildRecord, heads: dict[str, ManifestHead]
    ) -> tuple[State, str | None, str | None]:
        """How far the build came: state, the first stage that does not stand, and what is to be said of it."""
        planned = in_order(record, self._order)
        missing = next((stage for stage in planned if stage not in heads), None)
        if missing is None:
            return "complete", None, None
        if any(stage in heads for stage in planned[planned.index(missing) :]):
            return "damaged", missing, f"the {missing} dataset of this build was deleted"
        if self._heads.store.exists(_refusal(missing, record.stages[missing])):
            return "failed", missing, f"an expectation of {missing} did not hold"
        return "stopped", missing, None


def standing_heads(heads: Heads, record: BuildRecord) -> tuple[dict[str, ManifestHead], str | None]:
    """The manifest heads of a build by stage, and what is wrong with one that cannot be read."""
    found: dict[str, ManifestHead] = {}
    problem = None
    for stage, mark in record.stages.items():
        try:
            head = heads.head(stage, mark)
        except StoreError as error:
            problem = f"{stage}: {error.what}"
            continue
        if head is not None:
            found[stage] = head
    return found, problem


def in_order(record: BuildRecord, order: Sequence[str]) -> list[str]:
    """The planned stages in their order; such as this version does not know come last."""
    places = {stage: place for place, stage in enumerate(order)}
    return sorted(record.stages, key=lambda stage: (places.get(stage, len(places)), stage))


def validations_of(store: Store, record: BuildRecord, order: Sequence[str]) -> list[ValidationResult]:
    """What the expectations said of each stage of a build, the refused one included. Raises StoreError."""
    found = []
    for stage in in_order(record, order):
        mark = record.stages[stage]
        for path in (f"{dataset_folder(stage, mark)}/validation.json", _refusal(stage, mark)):
            try:
                found.append(ValidationResult.model_validate_json(store.read(path)))
            except FileNotFoundError:
                continue
            except ValidationError:
                raise StoreError("a validation result is damaged", where=path) from None
            break  # what was refused once and stands now is not of this build any more
    return found


def _refusal(stage: str, mark: str) -> str:
    return f"rejected/{stage}/{mark}/validation.json"
