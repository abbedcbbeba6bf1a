"""The label stage's pure function: what the source declares, then what the structure shows, then the classifier."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.categories import CATEGORIES, LABEL_METHODS
from schemas.parts import Part
from schemas.settings import LabelSettings
from schemas.tables import LABELS

#: Roles that only a conversation with functions has.
TOOL_ROLES = ("tool_call", "tool")
_DECLARED, _STRUCTURE, _CLASSIFIER, _UNASSIGNED = LABEL_METHODS


class Classifier(Protocol):
    """Gives each example a category and how sure it is of it."""

    def classify(self, messages: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        """Per list of messages the index of a category, and a confidence in [0, 1]."""


def label_part(
    tables: Mapping[str, pa.Table], settings: LabelSettings, classifier: Classifier | None = None
) -> Iterator[Part]:
    """The labels of one part of examples, row by row.

    A declared category stands. Of the others, examples with tool calls are `tool`; the rest are candidates for the
    classifier, and stay without a category where there is none or it is not sure enough.
    """
    examples = tables["examples"]
    declared = examples["category"].combine_chunks()
    category = np.array(declared.to_numpy(zero_copy_only=False), dtype=object)
    method = np.where(declared.is_valid(), _DECLARED, _UNASSIGNED).astype(object)
    confidence = np.full(len(category), np.nan, np.float32)
    messages = examples["messages"].combine_chunks()
    shown = (method == _UNASSIGNED) & _has_tool_calls(messages)
    category[shown], method[shown] = "tool", _STRUCTURE
    candidates = np.flatnonzero(method == _UNASSIGNED)
    if classifier is not None and len(candidates):
        best, sure = classifier.classify(messages.take(pa.array(candidates)))
        confidence[candidates] = sure
        taken = sure >= settings.confidence
        category[candidates[taken]] = np.array(CATEGORIES, dtype=object)[best[taken]]
        method[candidates[taken]] = _CLASSIFIER
    labels = pa.Table.from_arrays(
        [
            examples["example_id"].combine_chunks(),
            pa.array(method, pa.string()),
            pa.array(category, pa.string()),
            pa.array(confidence, pa.float32(), mask=np.isnan(confidence)),
        ],
        schema=LABELS,
    )
    yield Part({"labels": labels}, _tally(examples, labels))


def _has_tool_calls(messages: pa.ListArray) -> np.ndarray:
    """Per example whether one of its messages calls a function or is what one returned."""
    roles = pc.struct_field(pc.list_flatten(messages), "role")
    of_tool = pc.is_in(roles, pa.array(TOOL_ROLES)).to_numpy(zero_copy_only=False)
    parents = pc.list_parent_indices(messages).to_numpy(zero_copy_only=False)
    return np.bincount(parents, weights=of_tool, minlength=len(messages)) > 0


def _tally(examples: pa.Table, labels: pa.Table) -> dict[str, int]:
    """Counts by method and category, and what must not be: counted on the tables, not on the way to them."""
    tally: dict[str, int] = {}
    for column in ("method", "category"):
        for entry in pc.value_counts(labels[column]).to_pylist():
            if entry["values"] is not None:
                tally[f"{column}:{entry['values']}"] = entry["counts"]
    aligned = pc.equal(examples["example_id"], labels["example_id"])
    kept = pc.equal(examples["category"], labels["category"])
    tally["misaligned"] = _false(aligned)
    tally["declared_overruled"] = _false(pc.fill_null(kept, pc.is_null(examples["category"])))
    return tally


def _false(answers: pa.ChunkedArray) -> int:
    return len(answers) - (pc.sum(answers).as_py() or 0)
