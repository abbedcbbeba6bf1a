"""Runs a stage's expectations (schemas/expectations.py) through Great Expectations.

One context per process and thread: a context shared by threads gives silently wrong verdicts.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa

from schemas.expectations import EXPECTATIONS, Expectation
from schemas.summary import ExpectationResult, ValidationResult
from tasks.checks.views import summary_view, view

_local = threading.local()


class StageSuite:
    """The expectations of one stage; `rows_in` is what its ledger starts from (None: parse counts its own)."""

    def __init__(self, stage: str, rows_in: int | None = None) -> None:
        self.stage, self.rows_in = stage, rows_in

    def check_part(self, tables: Mapping[str, pa.Table]) -> ValidationResult:
        """Row rules on the tables of one part."""
        results: list[ExpectationResult] = []
        for table in tables:
            rules = [rule for rule in EXPECTATIONS[self.stage] if rule.table == table]
            if rules and tables[table].num_rows:
                results += run(rules, view(table, tables))
        return _validation(self.stage, results)

    def check_summary(self, summary: Mapping[str, int]) -> ValidationResult:
        """Corpus-wide rules, on the one-row summary."""
        rules = [rule for rule in EXPECTATIONS[self.stage] if rule.table == "summary"]
        return _validation(self.stage, run(rules, summary_view(self.stage, summary, self.rows_in)))


def run(rules: Iterable[Expectation], frame: pd.DataFrame) -> list[ExpectationResult]:
    """Check rules of one table on its view. An expectation that could not be run is a failure with its error."""
    rules = list(rules)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Great Expectations warns about its own dependencies
        identifier = next((name for name in frame.columns if name.endswith("_id")), None)
        # Every column costs, since frames are hashed: ids that no rule looks at are needed to name rows only.
        ruled = [name for name in frame.columns if name in {rule.column for rule in rules}]
        answer = _batch(frame[ruled]).validate(_suite(rules), result_format="BOOLEAN_ONLY")
        if not answer.success:  # twice the work, so only when there is something to tell
            answer = _batch(frame).validate(_suite(rules), result_format=_format(identifier))
    by_name = {item.expectation_config.meta["name"]: item for item in answer.results}
    results = [_result(rule, by_name[rule.name], identifier, len(frame)) for rule in rules]
    if len(frame) == 1 and identifier is None:
        row = frame.iloc[0]
        figures = [f"{rule.column} = {row.get(rule.column, 'missing')}" for rule in rules]
        results = [r.model_copy(update={"observed": f}) for r, f in zip(results, figures, strict=True)]
    return results


def _result(rule: Expectation, answer: Any, identifier: str | None, rows: int) -> ExpectationResult:
    raised = [info for info in _exceptions(answer.exception_info) if info.get("raised_exception")]
    detail = answer.result or {}
    ids = [row[identifier] for row in detail.get("unexpected_index_list") or [] if identifier in row]
    success = bool(answer.success) and not raised
    return ExpectationResult(
        name=rule.name,
        table=rule.table,
        success=success,
        checked=int(detail.get("element_count", rows)),
        unexpected=0 if success else int(detail.get("unexpected_count", 0)),
        sample_ids=[] if success else [str(i) for i in ids[:5]],
        error=str(raised[0].get("exception_message", "it could not be run"))[:200] if raised else None,
    )


def _exceptions(info: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """exception_info is either one record, or a record per metric."""
    if not info:
        return []
    return [info] if "raised_exception" in info else [v for v in info.values() if isinstance(v, Mapping)]


def _format(identifier: str | None) -> dict[str, Any]:
    if identifier is None:
        return {"result_format": "BASIC"}
    return {"result_format": "COMPLETE", "unexpected_index_column_names": [identifier]}


def _suite(rules: list[Expectation]) -> Any:
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="stage")
    for rule in rules:
        kind = getattr(gx.expectations, rule.kind)
        suite.add_expectation(kind(column=rule.column, meta={"name": rule.name}, **rule.arguments))
    return suite


def _batch(frame: pd.DataFrame) -> Any:
    definition = getattr(_local, "definition", None)
    if definition is None:
        os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        asset = context.data_sources.add_pandas("vatra").add_dataframe_asset("part")
        definition = _local.definition = asset.add_batch_definition_whole_dataframe("whole")
    return definition.get_batch({"dataframe": frame})


def _validation(stage: str, results: list[ExpectationResult]) -> ValidationResult:
    return ValidationResult(stage=stage, success=all(r.success for r in results), results=results)
