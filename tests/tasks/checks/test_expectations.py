"""Every expectation has a planted violation: a good part passes all, and one fault in it fails that expectation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from schemas.expectations import EXPECTATIONS, Expectation
from schemas.summary import ValidationResult
from tasks.checks import StageSuite
from tasks.checks.suite import run
from tasks.checks.views import summary_view, view
from tests.schemas.rows import an_id, conversation_tables, table
from tests.tasks.checks.planted import (
    GOOD_SUMMARIES,
    LEDGER,
    ROW_FAULTS,
    SECRET,
    SUMMARY_FAULTS,
    A,
    Fault,
    Key,
    good_parts,
    hit,
    planted,
)


def failures(result: ValidationResult) -> set[tuple[str, str]]:
    assert result.success == all(item.success for item in result.results)
    return {(item.table, item.name) for item in result.results if not item.success}


def keys() -> Iterator[Key]:
    return ((stage, rule.table, rule.name) for stage, rules in EXPECTATIONS.items() for rule in rules)


def test_every_expectation_has_a_planted_violation() -> None:
    assert sorted(keys()) == sorted([*ROW_FAULTS, *SUMMARY_FAULTS]), "an expectation needs its violation here"


@pytest.mark.parametrize("stage", EXPECTATIONS)
def test_the_good_part_and_the_good_summary_pass_everything(stage: str) -> None:
    summary, rows_in = GOOD_SUMMARIES[stage]
    suite = StageSuite(stage, rows_in)
    part, whole = suite.check_part(good_parts()[stage]), suite.check_summary(summary)
    assert (failures(part), failures(whole)) == (set(), set())
    looked_at = {(item.table, item.name) for item in (*part.results, *whole.results)}
    assert looked_at == {(rule.table, rule.name) for rule in EXPECTATIONS[stage]}
    assert all(item.checked >= 1 for item in part.results)
    assert all(item.error is None and not item.sample_ids for item in part.results)
    assert SECRET not in part.model_dump_json() + whole.model_dump_json()


@pytest.mark.parametrize("key", ROW_FAULTS, ids=" · ".join)
def test_planted_row_fails_its_expectation(key: Key) -> None:
    stage, name, expectation = key
    fault = ROW_FAULTS[key]
    tables = planted(good_parts()[stage], name, fault)
    result = StageSuite(stage).check_part(tables)
    assert failures(result) == {(name, expectation), *fault.also}
    (item,) = (item for item in result.results if (item.table, item.name) == (name, expectation))
    assert (item.unexpected, item.checked, item.error) == (1, tables[name].num_rows, None)
    identifier = next((column for column in tables[name].column_names if column.endswith("_id")), None)
    if identifier is not None:
        assert item.sample_ids == [tables[name][identifier][fault.row].as_py()]
    assert SECRET not in result.model_dump_json()


@pytest.mark.parametrize("key", SUMMARY_FAULTS, ids=" · ".join)
def test_planted_figure_fails_its_expectation(key: Key) -> None:
    stage, _, expectation = key
    summary, rows_in = GOOD_SUMMARIES[stage]
    result = StageSuite(stage, rows_in).check_summary({**summary, **SUMMARY_FAULTS[key]})
    failed = failures(result)
    assert ("summary", expectation) in failed
    assert failed <= {("summary", expectation), ("summary", LEDGER)}
    (item,) = (item for item in result.results if item.name == expectation)
    (rule,) = (rule for rule in EXPECTATIONS[stage] if (rule.table, rule.name) == ("summary", expectation))
    assert item.observed is not None
    figure, _, value = item.observed.partition(" = ")
    assert figure == rule.column
    assert int(value) == int(summary_view(stage, summary | SUMMARY_FAULTS[key], rows_in)[figure].iloc[0])


@pytest.mark.parametrize("stage", EXPECTATIONS)
def test_names_are_unique_within_a_suite(stage: str) -> None:
    names = [(rule.table, rule.name) for rule in EXPECTATIONS[stage]]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("stage", EXPECTATIONS)
def test_a_figure_that_is_missing_is_a_failure_with_an_error(stage: str) -> None:
    """A stage that forgets to count must not pass for one that counted nothing wrong."""
    result = StageSuite(stage, 0).check_summary({})
    given = {"unaccounted", "kept", "assistant_kept", "rows:examples", "rows:train"}
    given |= {"conversations_miscounted", "messages_miscounted", "unlisted"}
    for rule, item in zip(
        [rule for rule in EXPECTATIONS[stage] if rule.table == "summary"], result.results, strict=True
    ):
        if rule.column not in given:
            assert not item.success, rule.name
            assert item.error is not None
            assert rule.column in item.error


def test_a_column_that_is_missing_is_a_failure_with_an_error() -> None:
    rules = [rule for rule in EXPECTATIONS["dedup"] if rule.table == "clusters"]
    clusters = good_parts()["dedup"]["clusters"].drop_columns(["similarity"])
    results = {item.name: item for item in run(rules, clusters.to_pandas())}
    assert {name for name, item in results.items() if not item.success} == {"similarity is a share"}
    assert "similarity" in (results["similarity is a share"].error or "")
    assert results["similarity is a share"].unexpected == 0


def test_an_expectation_of_the_wrong_kind_for_its_column_is_a_failure() -> None:
    rule = Expectation("a date", "clusters", "ExpectColumnValuesToBeBetween", "method", {"min_value": 1})
    (item,) = run([rule], good_parts()["dedup"]["clusters"].to_pandas())
    assert not item.success


def test_all_bad_rows_are_counted_and_five_are_named() -> None:
    ids = [an_id(n) for n in range(9)]
    rows = [{"example_id": i, "phase": 1, "split": "dev" if n > 1 else "train"} for n, i in enumerate(ids)]
    result = StageSuite("mix").check_part({"mixture": table("mixture", *rows)})
    (item,) = (item for item in result.results if not item.success)
    assert (item.unexpected, item.checked, item.sample_ids) == (7, 9, ids[2:7])


def test_tables_without_rows_or_expectations_are_left_out() -> None:
    tables = {"preferences": table("preferences", {"chosen": SECRET}), "messages": table("messages")}
    assert StageSuite("parse").check_part(tables).results == []


@pytest.mark.parametrize("stage", EXPECTATIONS)
def test_views_hold_no_text(stage: str) -> None:
    tables = good_parts()[stage]
    for name in tables:
        assert not view(name, tables).astype("str").eq(SECRET).any().any(), name


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (
            ("filter", "verdicts", "a message is set aside for a reason, and kept without one"),
            Fault(0, {"reason": "slop"}),
        ),
        (
            ("reconcile", "standing", "a copy is either current or superseded"),
            Fault(1, {"superseded_by": None}),
        ),
        (("score", "signals", "rule hits lie within the text"), Fault(1, {"rule_hits": [hit(3, 3)]})),
        (("score", "signals", "rule hits lie within the text"), Fault(1, {"rule_hits": [hit(-1, 3)]})),
        (("score", "signals", "toxicity is a probability, or null"), Fault(0, {"toxicity": 1.2})),
        (
            ("assemble", "placements", "a message that is not dropped is in an example"),
            Fault(2, {"example_id": A}),
        ),
        (("parse", "imports", "messages seen = parsed + set aside"), Fault(0, {"messages_seen": 10})),
        (("parse", "messages", "content is not blank"), Fault(0, {"content": ""})),
    ],
)
def test_a_second_way_to_break_a_rule(key: Key, fault: Fault) -> None:
    stage, name, expectation = key
    result = StageSuite(stage).check_part(planted(good_parts()[stage], name, fault))
    assert failures(result) == {(name, expectation)}


def test_two_copies_of_a_conversation_in_one_part_pass() -> None:
    tables = conversation_tables([("user", "x"), ("assistant", "y")], [("user", "x"), ("assistant", "y")])
    owner = tables["conversations"]["conversation_id"][0].as_py()
    same = {
        name: table(name, *({**row, "conversation_id": owner} for row in data.to_pylist()))
        for name, data in tables.items()
    }
    assert failures(StageSuite("parse").check_part(same)) == set()


def test_threads_do_not_get_one_anothers_verdicts() -> None:
    good = good_parts()["dedup"]
    bad = planted(good, "clusters", Fault(0, {"similarity": 2.0}))
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda part: StageSuite("dedup").check_part(part).success, [good, bad] * 8))
    assert answers == [True, False] * 8


def test_what_is_compared_by_size_is_looked_at_all_at_once() -> None:
    """Great Expectations compares columns of 64 bits as a whole, and any other number value by value in Python."""
    sizes = {
        (stage, rule.table, rule.column): view(rule.table, good_parts()[stage])[rule.column].dtype
        for stage, rules in EXPECTATIONS.items()
        for rule in rules
        if rule.kind == "ExpectColumnValuesToBeBetween" and rule.table != "summary"
    }
    assert sizes
    assert {key: kind for key, kind in sizes.items() if kind not in (int, float)} == {}
