"""The ledger: rows in = rows out + set aside, for every stage."""

from __future__ import annotations

import pytest

from schemas.expectations import EXPECTATIONS
from schemas.ledger import ROWS_IN, draw_ledger, with_prefix

#: stage: a summary that balances, and what came in.
BALANCED = {
    "parse": ({"seen": 6, "rows:conversations": 4, "set_aside:empty": 1, "set_aside:failed": 1}, None),
    "reconcile": ({"current": 3, "set_aside:superseded": 2}, 5),
    "score": ({"rows:signals": 9}, 9),
    "filter": ({"kept": 5, "masked": 2, "set_aside:single_word": 1}, 8),
    "assemble": ({"trained": 3, "context": 3, "masked": 1, "set_aside:unanswered": 1}, 8),
    "dedup": ({"keepers": 3, "set_aside:exact_duplicate": 1}, 4),
    "label": ({"rows:labels": 4}, 4),
    "mix": (
        {"examples:train": 2, "examples:validation": 1, "examples:test": 1, "set_aside:over_total": 3},
        7,
    ),
}


def test_every_stage_with_expectations_has_a_ledger() -> None:
    assert set(BALANCED) == set(EXPECTATIONS)


@pytest.mark.parametrize("stage", BALANCED)
def test_a_ledger_balances_until_a_row_is_lost(stage: str) -> None:
    summary, rows_in = BALANCED[stage]
    ledger = draw_ledger(stage, summary, rows_in)
    assert ledger.unaccounted == 0
    assert ledger.rows_in == ledger.rows_out + sum(ledger.set_aside.values())
    for key in summary.keys() - {"seen"}:
        assert draw_ledger(stage, {**summary, key: summary[key] - 1}, rows_in).unaccounted == 1


def test_reasons_come_largest_first_without_zeros() -> None:
    summary = {"set_aside:b": 2, "set_aside:a": 2, "set_aside:c": 5, "set_aside:none": 0, "kept": 9}
    assert list(with_prefix(summary, "set_aside:").items()) == [("c", 5), ("a", 2), ("b", 2)]
    assert list(draw_ledger("filter", summary, 18).set_aside) == ["c", "a", "b"]


def test_rows_in_are_what_an_earlier_stage_put_out() -> None:
    assert set(ROWS_IN) == set(BALANCED) - {"parse"}
    order = list(BALANCED)
    assert all(order.index(source) < order.index(stage) for stage, (source, _) in ROWS_IN.items())
