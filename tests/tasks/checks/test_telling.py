"""How the results of many parts are added up, and told in one line."""

from __future__ import annotations

from typing import Any

from schemas.summary import ExpectationResult, ValidationResult
from storage.materialize import describe_failures, merge_validations


def result(name: str, success: bool, **more: Any) -> ExpectationResult:
    return ExpectationResult(name=name, table="t", success=success, **more)


def test_validations_of_parts_add_up() -> None:
    parts = [
        ValidationResult(stage="s", success=True, results=[result("a", True, checked=4)]),
        ValidationResult(
            stage="s",
            success=False,
            results=[result("a", False, checked=3, unexpected=2, sample_ids=list("xyzuv"))],
        ),
        ValidationResult(
            stage="s", success=False, results=[result("a", False, checked=1, unexpected=1, sample_ids=["w"])]
        ),
    ]
    merged = merge_validations("s", parts)
    assert merged.success is False
    assert merged.results == [result("a", False, checked=8, unexpected=3, sample_ids=list("xyzuv"))]


def test_failures_are_told_in_one_line() -> None:
    told = describe_failures(
        ValidationResult(
            stage="s",
            success=False,
            results=[
                result("fine", True),
                result("rows", False, checked=9, unexpected=2, sample_ids=list("abcd")),
                result("figure", False, observed="straddling = 2"),
                result("broken", False, error="no such column"),
                result("fourth", False),
            ],
        )
    )
    assert told == (
        "'rows' failed for 2 of 9 t rows, first: a, b, c; 'figure' does not hold (straddling = 2); "
        "'broken' could not be checked on t (no such column); and 1 more"
    )
