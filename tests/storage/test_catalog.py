"""The catalogue of builds: names that sort by time, plans that never change, and which build is the latest."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from schemas.errors import StoreError, UsageError
from schemas.ids import canonical_json
from schemas.manifest import BuildRecord, Manifest, SourceFile
from storage.catalog import (
    latest_build,
    list_builds,
    new_build_id,
    read_build,
    standing_builds,
    stands,
    write_build,
)
from storage.store import Store

NOON = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path))


def record(build: str, mix: str | None = None) -> BuildRecord:
    file = SourceFile(
        path="/exports/chats.json", member=None, digest="d" * 32, checksum="c" * 32, size=3,
        encoding="utf-8", format="claude", source="claude",
    )  # fmt: skip
    stages = {"mix": mix} if mix else {"parse": "p"}
    return BuildRecord(
        build=build, created="2026-11-20T12:00:00+00:00", parent=None, settings={"mix": {"seed": 1}},
        inputs=(file,), skipped=(("photo.jpg", "not a chat"),), stages=stages,
    )  # fmt: skip


def publish_mix(store: Store, fingerprint: str) -> None:
    manifest = Manifest(
        stage="mix", version=1, fingerprint=fingerprint, settings={}, libraries={}, inputs={}, parts=(), summary={}
    )  # fmt: skip
    store.put_if_absent(f"datasets/mix/{fingerprint}/manifest.json", canonical_json(manifest.model_dump()))


def test_ids_sort_by_time() -> None:
    moments = [NOON + timedelta(seconds=step) for step in (0, 1, 59, 3_600, 86_400, 40_000_000)]
    ids = [new_build_id(moment) for moment in moments]
    assert ids == sorted(ids)
    assert all(re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{4}", build) for build in ids)
    assert ids[0].startswith("20261120-120000-")
    assert len({new_build_id(NOON) for _ in range(20)}) > 10


def test_a_plan_comes_back_as_it_was_written(store: Store) -> None:
    plan = record("b1")
    write_build(store, plan)
    assert read_build(store, "b1") == plan


def test_a_plan_is_never_changed(store: Store) -> None:
    write_build(store, record("b1"))
    with pytest.raises(StoreError, match="a build of this name stands already"):
        write_build(store, record("b1", mix="other"))
    assert read_build(store, "b1") == record("b1")


def test_an_unknown_build_is_answered_with_the_newest(store: Store) -> None:
    names = [new_build_id(NOON + timedelta(minutes=step)) for step in range(7)]
    for name in names:
        write_build(store, record(name))
    with pytest.raises(UsageError, match="no build is called 'yesterday'") as caught:
        read_build(store, "yesterday")
    assert caught.value.fix == f"The newest are: {', '.join(reversed(names[2:]))}."
    assert list_builds(store) == names[::-1]


def test_an_unknown_build_where_there_is_none(store: Store) -> None:
    with pytest.raises(UsageError, match="There is none yet: run `vatra build PATH`"):
        read_build(store, "yesterday")
    assert list_builds(store) == []


def test_latest_is_the_newest_whose_mix_stands(store: Store) -> None:
    with pytest.raises(UsageError, match="no build yet in which mix is done"):
        latest_build(store, "mix")
    for build, mix in (("1-old", "m1"), ("2-done", "m2"), ("3-failed", "m3"), ("4-unmixed", None)):
        write_build(store, record(build, mix))
    with pytest.raises(UsageError, match="no build yet in which mix is done"):
        read_build(store, "latest", "mix")
    publish_mix(store, "m1")
    publish_mix(store, "m2")
    assert latest_build(store, "mix").build == read_build(store, "latest", "mix").build == "2-done"
    publish_mix(store, "m3")
    assert latest_build(store, "mix").build == "3-failed"


def test_builds_are_counted_back_from_the_latest(store: Store) -> None:
    for build, mix in (("1-old", "m1"), ("2-failed", "m2"), ("3-new", "m3"), ("4-unmixed", None)):
        write_build(store, record(build, mix))
    publish_mix(store, "m1")
    publish_mix(store, "m3")
    found = [read_build(store, f"latest{back}", "mix").build for back in ("", "~0", "~1")]
    assert found == ["3-new", "3-new", "1-old"]
    with pytest.raises(UsageError, match="there is no latest~2: 2 builds with mix stand"):
        read_build(store, "latest~2", "mix")
    with pytest.raises(UsageError, match="no build is called 'latest~'"):
        read_build(store, "latest~")
    assert [plan.build for plan in standing_builds(store)] == ["3-new", "1-old"]
    assert [plan.build for plan in standing_builds(store, before="3-new")] == ["1-old"]


def test_a_stage_stands_once_its_manifest_is_put(store: Store) -> None:
    plan = record("b1", mix="m1")
    assert not stands(store, plan, "mix")
    publish_mix(store, "m1")
    assert stands(store, plan, "mix")
    assert not stands(store, plan, "parse")
    assert not stands(store, plan, "train-lora")
