"""Labels: what a source declares stands, tool calls are seen, the rest is the classifier's or nobody's."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.categories import CATEGORIES, DESCRIPTIONS
from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import LabelSettings
from schemas.tables import ROLES
from tasks.checks import StageSuite
from tasks.labels import Classifier, label_part
from tests.schemas.rows import an_id, table

TALK = ("user", "assistant")


class Fixed:
    """A classifier that answers by the length of the first message: that is enough to see what is done with it."""

    def classify(self, messages: pa.Array) -> tuple[np.ndarray, np.ndarray]:
        sizes = [len(lines[0]["content"]) for lines in messages.to_pylist()]
        return np.array([size % 10 for size in sizes]), np.array([size / 100 for size in sizes], np.float32)


def example(
    number: int, category: str | None, roles: tuple[str, ...] = TALK, size: int = 1
) -> dict[str, object]:
    said = [{"role": role, "content": "x" * size, "trainable": role == "assistant"} for role in roles]
    return {"example_id": an_id(number), "category": category, "messages": said, "trainable": 1}


def labelled(
    *examples: dict[str, object], classifier: Classifier | None = None, confidence: float = 0.5
) -> Part:
    (part,) = label_part(
        {"examples": table("examples", *examples)}, LabelSettings(confidence=confidence), classifier
    )
    return part


def rows(part: Part) -> list[tuple[str, str | None]]:
    return [(row["method"], row["category"]) for row in part.tables["labels"].to_pylist()]


def test_there_are_ten_categories_each_described_in_a_line() -> None:
    assert CATEGORIES == (
        "technical", "instructional", "analytical", "conversational", "empathetic", "creative", "tool", "factual",
        "ethical", "specialised",
    )  # fmt: skip
    assert all(text.endswith(".") and "\n" not in text for text in DESCRIPTIONS.values())


def test_the_source_comes_first_then_structure_then_nothing() -> None:
    part = labelled(
        example(1, "creative"),
        example(2, "factual", ("user", "tool_call", "tool", "assistant")),
        example(3, None, ("user", "tool_call", "tool", "assistant")),
        example(4, None, ("user", "tool", "assistant")),
        example(5, None),
    )
    assert rows(part) == [
        ("declared", "creative"),
        ("declared", "factual"),
        ("structure", "tool"),
        ("structure", "tool"),
        ("unassigned", None),
    ]
    assert part.tables["labels"]["confidence"].null_count == 5
    assert part.tally == {
        "method:declared": 2, "method:structure": 2, "method:unassigned": 1,
        "category:creative": 1, "category:factual": 1, "category:tool": 2,
        "misaligned": 0, "declared_overruled": 0,
    }  # fmt: skip


def test_the_classifier_is_asked_only_where_nothing_else_is_known() -> None:
    part = labelled(
        example(1, "creative", size=97),
        example(2, None, ("user", "tool", "assistant"), size=97),
        example(3, None, size=62),
        example(4, None, size=31),
        classifier=Fixed(),
    )
    labels = part.tables["labels"].to_pylist()
    assert rows(part)[2:] == [("classifier", CATEGORIES[2]), ("unassigned", None)]
    assert [row["confidence"] for row in labels] == [None, None, pytest.approx(0.62), pytest.approx(0.31)]


def test_an_empty_part_has_no_labels() -> None:
    part = labelled(classifier=Fixed())
    assert part.tables["labels"].num_rows == 0
    assert (part.tally["misaligned"], part.tally["declared_overruled"]) == (0, 0)


@settings(derandomize=True, deadline=None)  # the first run imports Great Expectations
@given(
    declared=st.lists(st.sampled_from([None, *CATEGORIES]), max_size=12),
    roles=st.lists(st.sampled_from(ROLES), min_size=1, max_size=4),
    confidence=st.floats(0, 1),
)
def test_labels_are_aligned_and_pass_their_expectations(
    declared: list[str | None], roles: list[str], confidence: float
) -> None:
    examples = [
        example(i, category, tuple(roles), size=1 + i * 7 % 100) for i, category in enumerate(declared)
    ]
    part = labelled(*examples, classifier=Fixed(), confidence=confidence)
    labels = part.tables["labels"]
    assert labels["example_id"].to_pylist() == [item["example_id"] for item in examples]
    for row, category in zip(labels.to_pylist(), declared, strict=True):
        assert category is None or (row["method"], row["category"]) == ("declared", category)
        assert row["method"] != "classifier" or row["confidence"] >= np.float32(confidence)
    suite = StageSuite("label", len(examples))
    assert suite.check_part(part.tables).success
    summary = {"rows:labels": labels.num_rows, **part.tally}
    assert suite.check_summary(summary).success
    assert draw_ledger("label", summary, len(examples)).unaccounted == 0
