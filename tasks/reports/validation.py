"""The page of a validation suite alone."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.summary import ExpectationResult, ValidationResult
from tasks.reports.templates import environment, stylesheet


def render_validation_page(validations: Sequence[ValidationResult], title: str) -> str:
    """One offline HTML page of validation results; ids, never chat text, stand as samples."""
    return (
        environment()
        .get_template("validation.html")
        .render(
            style=stylesheet(),
            title=title,
            validations=validations,
            failures=failures(validations),
            checked=sum(len(suite.results) for suite in validations),
        )
    )


def failures(validations: Sequence[ValidationResult]) -> list[tuple[str, ExpectationResult]]:
    """Every expectation that did not hold, with its stage."""
    return [(suite.stage, result) for suite in validations for result in suite.results if not result.success]
