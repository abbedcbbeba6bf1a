"""Making datasets: done once, named by what goes in, checked before anybody can read them."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from schemas.errors import ExpectationFailed, StoreError
from schemas.manifest import Manifest
from schemas.parts import Part
from schemas.settings import BuildSettings, DedupSettings, ScoreSettings
from schemas.settings.loading import load_build_settings, resolve_rules, seal
from schemas.summary import PartCounts, ValidationResult
from storage.datasets import find_dataset
from storage.materialize import Materialized, materialize
from storage.stages import Given, Stage, Unit, aligned_units, corpus_unit, fingerprint
from storage.store import STAGING, Store
from tasks.checks import StageSuite
from tasks.dedup import find_duplicates
from tests.schemas.rows import MemoryDataset, an_id, table
from tests.storage.toy_stage import ROWS, ToySettings, ToySuite, make, work


def store_in(folder: Path) -> Store:
    return Store(str(folder))


def mark(made: Materialized) -> str:
    return made.dataset.manifest.fingerprint


def files(folder: Path, *places: str) -> dict[str, bytes]:
    found = [path for place in places for path in (folder / place).rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(found)}


def test_made_once_and_then_found(tmp_path: Path) -> None:
    first = make(store_in(tmp_path), units=2)
    before = files(tmp_path, "datasets")
    second = make(store_in(tmp_path), units=2)
    assert (first.cached, first.parts) == (False, PartCounts(computed=4, reused=0))
    assert (second.cached, second.parts) == (True, PartCounts(computed=0, reused=4))
    assert second.dataset.manifest == first.dataset.manifest
    assert files(tmp_path, "datasets") == before
    assert first.dataset.manifest.summary == {"made": 2 * ROWS, "rows:mixture": 2 * ROWS}


def test_a_new_unit_recomputes_only_itself(tmp_path: Path) -> None:
    make(store_in(tmp_path), units=2)
    more = make(store_in(tmp_path), units=3)
    assert (more.cached, more.parts) == (False, PartCounts(computed=2, reused=4))
    fresh = make(store_in(tmp_path / "fresh"), units=3)
    assert more.dataset.manifest == fresh.dataset.manifest


def test_units_of_other_settings_are_not_reused(tmp_path: Path) -> None:
    make(store_in(tmp_path), units=1)
    assert make(store_in(tmp_path), units=1, salt="b").parts == PartCounts(computed=2)
    assert make(store_in(tmp_path), units=1, version=2).parts == PartCounts(computed=2)


def test_the_fingerprint_moves_with_what_changes_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage("toy", 1, "row", "rows", work, libraries=("pyarrow",))
    base = fingerprint(stage, ToySettings(), {"units": 2})
    assert fingerprint(stage, ToySettings(), {"units": 2}) == base
    others = {
        "setting": fingerprint(stage, ToySettings(salt="b"), {"units": 2}),
        "inputs": fingerprint(stage, ToySettings(), {"units": 3}),
        "version": fingerprint(
            Stage("toy", 2, "row", "rows", work, ("pyarrow",)), ToySettings(), {"units": 2}
        ),
        "name": fingerprint(Stage("toy2", 1, "row", "rows", work, ("pyarrow",)), ToySettings(), {"units": 2}),
    }
    real = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "99.0" if name == "pyarrow" else real(name))
    others["library"] = fingerprint(stage, ToySettings(), {"units": 2})
    assert len({base, *others.values()}) == len(others) + 1
    unconcerned = Stage("toy", 1, "row", "rows", work, libraries=("numpy",))
    with_new_pyarrow = fingerprint(unconcerned, ToySettings(), {})
    monkeypatch.undo()
    assert fingerprint(unconcerned, ToySettings(), {}) == with_new_pyarrow


def test_workers_and_the_stores_place_change_nothing(tmp_path: Path) -> None:
    here = make(store_in(tmp_path / "here"), units=2)
    there = make(store_in(tmp_path / "there"), units=2, workers=2)
    assert mark(here) == mark(there)
    assert files(tmp_path / "here", "datasets") == files(tmp_path / "there", "datasets")


def test_an_object_store_holds_the_same_dataset(tmp_path: Path) -> None:
    local = make(store_in(tmp_path), units=2)
    remote = Store(f"memory://{mark(local)}")
    assert make(remote, units=2).dataset.manifest == local.dataset.manifest
    assert make(remote, units=2).cached
    assert all(remote.digest(file.path) == file.digest for file in local.dataset.files("mixture"))
    assert remote.names(STAGING) == []


def score_fingerprint(settings: BuildSettings) -> str:
    sealed = seal(settings)
    projection = ScoreSettings(
        languages=sealed.languages,
        rules={name: resolve_rules(name, getattr(sealed, name)) for name in ("blacklist", "slop")},
        scorer=sealed.toxicity.scorer,
        scorer_digest="none",
    )
    return fingerprint(Stage("score", 1, "row", "messages", work), projection, {})


def test_a_rule_files_contents_count_and_its_path_does_not(tmp_path: Path) -> None:
    def with_rules(name: str, text: str) -> str:
        (tmp_path / name).write_text(text, "utf-8")
        return score_fingerprint(load_build_settings(overrides=[f"slop.files=['{tmp_path / name}']"]))

    one = with_rules("one.yaml", "- ahoy\n")
    assert with_rules("another.yaml", "# the same\n- {name: ahoy, pattern: ahoy}\n") == one
    assert with_rules("one.yaml", "- avast\n") != one
    assert score_fingerprint(load_build_settings()) != one


def test_the_manifest_knows_no_path_time_or_host(tmp_path: Path) -> None:
    made = make(store_in(tmp_path), units=1)
    for name, data in files(tmp_path, "datasets").items():
        if name.endswith(".json"):
            text = data.decode()
            assert str(tmp_path) not in text
            assert socket.gethostname() not in text
            assert not re.search(r"\b20\d\d-\d\d-\d\d|\b1[789]\d{8}\b", text)
            assert STAGING not in text
    manifest = json.loads((tmp_path / f"datasets/toy/{mark(made)}/manifest.json").read_bytes())
    assert set(manifest) == set(Manifest.model_fields)
    assert manifest["settings"] == {"salt": "a"}
    assert manifest["inputs"] == {"units": 1}


def test_a_refused_part_publishes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ExpectationFailed) as caught:
        make(store_in(tmp_path), units=2, refuse=True)
    assert str(caught.value).startswith("toy: 'welcome' failed for 3 of 200 mixture rows (")
    assert caught.value.fix == "Nothing was published. The refused rows and validation.json lie there."
    assert files(tmp_path, "datasets") == {}
    assert list((tmp_path / STAGING).iterdir()) == []
    refused = Path(str(caught.value.where))
    assert refused.parent == tmp_path / "rejected/toy"
    validation = ValidationResult.model_validate_json((refused / "validation.json").read_bytes())
    assert [item.name for item in validation.results if not item.success] == ["welcome"]
    (part,) = refused.glob("mixture-*.parquet")
    assert pa.parquet.read_table(part).num_rows == ROWS // 2
    assert make(store_in(tmp_path), units=2).parts == PartCounts(computed=4)


def test_a_refusal_names_the_rows(tmp_path: Path) -> None:
    bad = table("mixture", *({"example_id": f"e{n}", "split": "train"} for n in range(4)))
    with pytest.raises(ExpectationFailed, match="failed for 4 of 4 mixture rows, first: e0, e1, e2 "):
        materialize(
            store_in(tmp_path),
            Stage("mix", 1, "corpus", "examples", lambda argument, settings: iter([Part(argument)])),
            ToySettings(),
            {},
            [Unit(("one",), Given({"mixture": bad}))],
            StageSuite("mix", 4),
        )


def test_a_failing_summary_says_the_figure_and_why_rows_were_set_aside(tmp_path: Path) -> None:
    """The real dedup stage with a ledger that starts from one example more than there is."""
    rows = [{"example_id": f"{n:032x}", "text_hash": "0" * 32, "text_bytes": n} for n in range(3)]
    unit = Unit(("one",), Given({"examples": MemoryDataset([table("examples", *rows)])}))
    stage = Stage("dedup", 1, "corpus", "examples", find_duplicates)
    with pytest.raises(ExpectationFailed) as caught:
        materialize(store_in(tmp_path), stage, DedupSettings(), {}, [unit], StageSuite("dedup", 4))
    message = str(caught.value)
    assert "'the ledger balances: rows in = rows out + set aside' does not hold (unaccounted = 1)" in message
    assert "; set aside: exact_duplicate 2 " in message
    assert not list(tmp_path.rglob("manifest.json"))
    assert list(tmp_path.glob("rejected/dedup/*/validation.json"))
    made = materialize(store_in(tmp_path), stage, DedupSettings(), {}, [unit], StageSuite("dedup", 3))
    assert made.dataset.rows("clusters") == 3
    assert made.dataset.validation().success


def test_a_failing_summary_keeps_the_finished_units(tmp_path: Path) -> None:
    stage = Stage("toy", 1, "row", "rows", work)
    pieces = [Unit((f"unit {n}",), Given(n)) for n in range(2)]
    with pytest.raises(ExpectationFailed, match="'whole'"):
        materialize(store_in(tmp_path), stage, ToySettings(), {"units": 2}, pieces, ToySuite(5))
    assert not list(tmp_path.rglob("manifest.json"))
    assert make(store_in(tmp_path), units=2).parts == PartCounts(computed=0, reused=4)


def read_all(store: Store, fingerprint: str) -> None:
    found = find_dataset(store, "toy", fingerprint)
    assert found is not None
    list(found.scan("mixture"))


@pytest.mark.parametrize("damage", ["lost", "cut", "altered"])
def test_a_damaged_part_is_never_read_and_made_again(tmp_path: Path, damage: str) -> None:
    made = make(store_in(tmp_path), units=2)
    before = files(tmp_path, "datasets")
    name = made.dataset.files("mixture")[0].path
    path = tmp_path / name
    data = path.read_bytes()
    path.unlink()  # a link of its own: the bytes of the others stay
    if damage != "lost":
        path.write_bytes(data[:-40] if damage == "cut" else data[:100] + bytes([data[100] ^ 1]) + data[101:])
    with pytest.raises(StoreError, match=r"missing|damaged") as caught:
        read_all(store_in(tmp_path), mark(made))
    assert caught.value.where == name
    again = make(store_in(tmp_path), units=2)
    assert (again.parts, mark(again)) == (PartCounts(computed=2, reused=2), mark(made))
    assert files(tmp_path, "datasets") == before
    assert sum(part.num_rows for part in again.dataset.scan("mixture")) == 2 * ROWS


def test_a_corpus_part_with_a_taken_name_is_made_again(tmp_path: Path) -> None:
    """What a run that died has left under the name of a part is not what the name says."""
    made = make(store_in(tmp_path), units=1)
    for file in made.dataset.files("mixture"):
        (tmp_path / file.path).write_bytes(b"half a part")
    (tmp_path / f"datasets/toy/{mark(made)}/manifest.json").unlink()
    again = make(store_in(tmp_path), units=1)
    assert sum(part.num_rows for part in again.dataset.scan("mixture")) == ROWS


@pytest.mark.parametrize("name", ["manifest.json", "validation.json"])
@pytest.mark.parametrize("damage", [b"", b'{"stage": ', b"{}", None], ids=["empty", "cut", "other", "gone"])
def test_records_that_are_damaged_are_made_again(tmp_path: Path, name: str, damage: bytes | None) -> None:
    made = make(store_in(tmp_path), units=2)
    before = files(tmp_path, "datasets")
    path = tmp_path / f"datasets/toy/{mark(made)}/{name}"
    path.unlink()
    if damage is not None:
        path.write_bytes(damage)
    again = make(store_in(tmp_path), units=2)
    assert (again.cached, again.parts) == (False, PartCounts(computed=0, reused=4))
    assert files(tmp_path, "datasets") == before
    assert again.dataset.validation().success


def test_lost_validation_is_a_clear_error(tmp_path: Path) -> None:
    dataset = make(store_in(tmp_path), units=1).dataset
    path = tmp_path / f"datasets/toy/{dataset.manifest.fingerprint}/validation.json"
    for damaged in (b'{"stage": ', None):
        path.unlink()
        if damaged:
            path.write_bytes(damaged)
        with pytest.raises(StoreError, match="what the expectations said is missing or damaged"):
            dataset.validation()


def test_a_damaged_manifest_is_a_clear_error(tmp_path: Path) -> None:
    made = make(store_in(tmp_path), units=1)
    path = tmp_path / f"datasets/toy/{mark(made)}/manifest.json"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(StoreError, match="a manifest is damaged"):
        find_dataset(store_in(tmp_path), "toy", mark(made))


def test_a_dataset_is_read_through_its_manifest(tmp_path: Path) -> None:
    dataset = make(store_in(tmp_path), units=2).dataset
    (tmp_path / "datasets/toy/parts/mixture-stray.parquet").write_bytes(b"not listed, not read")
    assert [part.num_rows for part in dataset.scan("mixture")] == [ROWS // 2] * 4
    assert dataset.rows("mixture") == dataset.column("mixture", ["order", "split"]).num_rows == 2 * ROWS
    assert dataset.column("mixture", ["order", "split"]).column_names == ["order", "split"]
    assert dataset.column("train", ["example_id"]).num_rows == 0
    assert [item.checked for item in dataset.validation().results] == [4 * ROWS, 1]


def test_units_of_aligned_tables_zip_part_with_part(tmp_path: Path) -> None:
    one, other = (
        make(store_in(tmp_path), units=2).dataset,
        make(store_in(tmp_path), units=2, salt="b").dataset,
    )
    # Two datasets of one table stand in for two aligned tables: what counts is the number of parts.
    units = aligned_units(mixture=one)
    assert [unit.key for unit in units] == [(f"mixture:{f.digest}",) for f in one.files("mixture")]
    assert [unit.payload.open(one.store)["mixture"].num_rows for unit in units] == [ROWS // 2] * 4
    shorter = make(store_in(tmp_path), units=1).dataset
    with pytest.raises(AssertionError, match="not aligned"):
        aligned_units(mixture=one, train=shorter)
    (whole,) = corpus_unit(left=one, right=other)
    assert whole.key == (f"left:{one.manifest.fingerprint}", f"right:{other.manifest.fingerprint}")


def test_progress_counts_every_byte_once(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    make(store_in(tmp_path), units=3, progress=lambda done, total: told.append((done, total)))
    size = 3 * (16 << 20)
    assert {total for _, total in told} == {size}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert (told[0], told[-1]) == ((0, size), (size, size))


def resourceful(number: int, settings: ToySettings, resource: list[str]) -> Iterator[Part]:
    resource.append(f"used {number}")
    yield Part({"mixture": table("mixture", {"example_id": f"{len(resource)}"})}, {"made": 1})


def build_resource(settings: ToySettings, context: Any) -> list[str]:
    return [f"built with {settings.salt} and {context}"]


class AnySuite:
    """Accepts everything."""

    def check_part(self, tables: Mapping[str, pa.Table]) -> ValidationResult:
        return ValidationResult(stage="toy", success=True)

    def check_summary(self, summary: Mapping[str, int]) -> ValidationResult:
        return ValidationResult(stage="toy", success=True)


def test_a_resource_is_built_once_per_process_and_context(tmp_path: Path) -> None:
    stage = Stage("toy", 1, "row", "rows", resourceful, resource=build_resource)
    units = [Unit((str(n),), Given(n)) for n in range(3)]

    def use(context: str) -> list[str]:
        store = store_in(tmp_path / context)
        made = materialize(store, stage, ToySettings(), {}, units, AnySuite(), context=context)
        return [i for part in made.dataset.scan("mixture") for i in part["example_id"].to_pylist()]

    assert use("here") == ["2", "3", "4"], "one list, built once, used by three units"
    assert use("there") == ["2", "3", "4"], "another context has a resource of its own"


def wrong_schema(number: int, settings: ToySettings) -> Iterator[Part]:
    yield Part({"mixture": pa.table({"example_id": ["a"]})})


def test_a_table_without_its_schema_is_never_written(tmp_path: Path) -> None:
    stage = Stage("toy", 1, "row", "rows", wrong_schema)
    with pytest.raises(AssertionError, match="table mixture does not have its schema"):
        materialize(store_in(tmp_path), stage, ToySettings(), {}, [Unit(("a",), Given(1))], AnySuite())
    assert not list(tmp_path.rglob("*.parquet"))


def test_files_of_a_corpus_part_are_called_by_its_label(tmp_path: Path) -> None:
    row = {"example_id": an_id("a"), "conversation_id": an_id("c"), "source": "x", "phase": 2, "messages": []}
    labels = ["train-phase2-00000-of-00001", None]

    def work(argument: object, settings: ToySettings) -> Iterator[Part]:
        for label in labels:
            yield Part({"train": table("train", row)}, {"current_repeated": 0}, label)

    welcoming = StageSuite("reconcile", 0)  # it asks nothing of this table
    stage, store = Stage("mix", 1, "corpus", "examples", work), store_in(tmp_path)
    made = materialize(store, stage, ToySettings(), {}, [Unit(("x",), Given(0))], welcoming)
    names = [Path(file.path).name for file in made.dataset.files("train")]
    digest = made.dataset.files("train")[0].digest
    assert names == [f"train-phase2-00000-of-00001-{digest}.parquet", f"train-00001-{digest}.parquet"]
    again = materialize(store, stage, ToySettings(), {}, [Unit(("x",), Given(0))], welcoming)
    assert again.cached
