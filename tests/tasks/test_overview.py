"""The list of builds: states, damage, and how little is read for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from flows.stage_names import STAGE_NAMES
from schemas.ids import canonical_json
from schemas.summary import ExpectationResult, ValidationResult
from storage.catalog import read_build
from storage.store import Store
from tasks.overview import Overview, validations_of
from tasks.reports import render_builds
from tests.made_builds import STAGES, put_build, summaries


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def found_until(stage: str) -> dict[str, dict[str, int]]:
    whole = summaries(400, 20, {"too_short": 12, "superseded": 4})
    return {name: whole[name] for name in STAGES[: STAGES.index(stage)]}


def put_refusal(store: Store, stage: str, mark: str) -> None:
    bad = ExpectationResult(name="ids are unique", table="examples", success=False, checked=5, unexpected=1)
    refusal = ValidationResult(stage=stage, success=False, results=[bad])
    store.put_if_absent(f"rejected/{stage}/{mark}/validation.json", refusal.model_dump_json().encode())


def test_a_complete_build_has_all_its_counts(store: Store) -> None:
    put_build(store, "b1", parent="b0")
    (line,) = Overview(store, STAGE_NAMES).lines()
    assert (line.state, line.stage, line.problem, line.parent) == ("complete", None, None, "b0")
    counts = {"seen": 102, "kept": 100, "empty": 1, "failed": 1, "duplicate": 0, "left_out": 0}
    assert line.imports.model_dump() == counts
    assert (line.messages.kept, line.messages.masked) == (364, 20)
    assert line.messages.dropped == {"too_short": 12, "superseded": 4}
    assert line.kept == 364 / 400
    assert line.corpus is not None
    assert line.corpus.model_dump() == {"train": 98, "validation": 1, "test": 1}
    assert line.adapter is None


def test_newest_first_and_each_in_its_state(store: Store) -> None:
    put_build(store, "b1")
    put_build(store, "b2", found=found_until("filter"))
    failed = put_build(store, "b3", found=found_until("dedup"))
    put_refusal(store, "dedup", failed.stages["dedup"])
    put_build(store, "b4", found={})
    lines = Overview(store, STAGE_NAMES).lines()
    assert [(line.build, line.state, line.stage) for line in lines] == [
        ("b4", "stopped", "parse"),
        ("b3", "failed", "dedup"),
        ("b2", "stopped", "filter"),
        ("b1", "complete", None),
    ]
    assert [line.kept is None for line in lines] == [True, False, True, False]
    assert lines[1].corpus is None


def test_a_refusal_that_was_overcome_is_no_failure(store: Store) -> None:
    record = put_build(store, "b1")
    put_refusal(store, "dedup", record.stages["dedup"])
    assert Overview(store, STAGE_NAMES).line("b1").state == "complete"


def test_a_stage_of_ones_own_build_is_complete_when_it_stands(store: Store) -> None:
    put_build(store, "b1", planned=("parse", "reconcile", "score", "filter"))
    line = Overview(store, STAGE_NAMES).line("b1")
    assert (line.state, line.decided, line.corpus) == ("complete", "filter", None)


def test_deleted_datasets_and_damage_are_said_and_break_nothing(store: Store) -> None:
    deleted, damaged, swapped = (put_build(store, name) for name in ("b1", "b2", "b3"))
    put_build(store, "b4")
    overview = Overview(store, STAGE_NAMES)
    assert {line.state for line in overview.lines()} == {"complete"}
    shutil.rmtree(store.full(f"datasets/score/{deleted.stages['score']}"))
    Path(store.full(f"datasets/filter/{damaged.stages['filter']}/manifest.json")).write_text('{"stage": "fil')
    other = Path(store.full(f"datasets/mix/{swapped.stages['mix']}/manifest.json"))
    other.unlink()
    other.write_bytes(store.read(f"datasets/mix/{damaged.stages['mix']}/manifest.json"))
    Path(store.full("builds/b5.json")).write_text("no plan")
    Path(store.full("builds/b6.json")).write_bytes(store.read("builds/b4.json"))
    Path(store.full("builds/<script>.json")).write_text("{}")
    told = {line.build: (line.state, line.problem) for line in Overview(store, STAGE_NAMES).lines()}
    assert told == {
        "b1": ("damaged", "the score dataset of this build was deleted"),
        "b2": ("damaged", "filter: a manifest is damaged"),
        "b3": ("damaged", "mix: a manifest is damaged: it is that of another dataset"),
        "b4": ("complete", None),
        "b5": ("damaged", "a build's plan is damaged"),
        "b6": ("damaged", "a build's plan is damaged: it names another build"),
        "<script>": ("damaged", "a build's plan is damaged"),
    }
    assert overview.line("b1").state == "damaged", "what was remembered must still stand"


def test_what_was_trained_is_told_apart(store: Store) -> None:
    for name, stage, account in (
        ("b1", "train-lora", {"base_is_demo": True}),
        ("b2", "train-lora", {"base_is_demo": False}),
        ("b3", "train-tribal", {"members": ["nova"]}),
    ):
        mark = put_build(store, name, planned=(*STAGES, stage)).stages[stage]
        made = {"stage": stage, "fingerprint": mark, "files": {}, "account": account}
        store.put_if_absent(f"artifacts/{stage}/{mark}/manifest.json", canonical_json(made))
    put_build(store, "b4", planned=(*STAGES, "train-tribal"))
    lines = Overview(store, STAGE_NAMES).lines()
    assert [(line.state, line.adapter, line.nova) for line in lines] == [
        ("stopped", None, False), ("complete", None, True), ("complete", "trained", False), ("complete", "demo", False)
    ]  # fmt: skip
    page = render_builds(lines, "/home/ana")
    assert "corpus complete; no NOVA yet" in page
    assert '<td data-label="Trained"><div>NOVA</div></td>' in page


def test_a_list_asked_again_reads_nothing_and_never_opens_a_table(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        put_build(store, f"b{number:02}")
    asked: list[str] = []
    read = Store.read
    monkeypatch.setattr(Store, "read", lambda self, path: asked.append(path) or read(self, path))
    monkeypatch.setattr(Store, "open", lambda self, path: pytest.fail(f"opened {path}"))
    overview = Overview(store, STAGE_NAMES)
    first = overview.lines()
    assert len(asked) == len(set(asked)) == 20 * (1 + len(STAGES))
    assert all(path.endswith(".json") for path in asked)
    asked.clear()
    assert overview.lines() == first
    assert asked == []


def test_validations_come_in_order_with_the_refused_one(store: Store) -> None:
    record = put_build(store, "b1", found=found_until("dedup"))
    for stage in ("filter", "parse"):
        good = ValidationResult(stage=stage, success=True)
        path = f"datasets/{stage}/{record.stages[stage]}/validation.json"
        store.put_if_absent(path, good.model_dump_json().encode())
    put_refusal(store, "dedup", record.stages["dedup"])
    found = validations_of(store, read_build(store, "b1"), STAGE_NAMES)
    assert [(suite.stage, suite.success) for suite in found] == [
        ("parse", True),
        ("filter", True),
        ("dedup", False),
    ]
