"""The adapters of a corpus are found by what their lineage says, whatever they are called."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from schemas.ids import canonical_json
from schemas.manifest import BuildRecord
from storage.home import Home
from storage.names import give_name
from tasks.adapter_names import page_of
from tasks.trained import LINEAGE, LINEAGE_SCHEMA
from tasks.trainings import trainings_of

OWN, LATER, FOREIGN, GONE = "1" * 32, "2" * 32, "3" * 32, "4" * 32


def stands(home: Home, mark: str, corpus: str) -> None:
    folder = home.path / "artifacts/train-lora" / mark
    folder.mkdir(parents=True)
    told = {b"vatra.corpus": corpus.encode(), b"vatra.build": b"b"}
    pq.write_table(LINEAGE_SCHEMA.with_metadata(told).empty_table(), folder / LINEAGE)
    (folder / "manifest.json").write_bytes(canonical_json({"account": {}, "files": {LINEAGE: "x"}}))


def test_by_corpus_the_builds_own_first(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for mark, corpus, name in (
        (OWN, "c", "own"), (LATER, "c", "ada"), (FOREIGN, "d", "foreign"), (GONE, "c", "gone")
    ):  # fmt: skip
        stands(home, mark, corpus)
        give_name(home.store, "lora", name, "train-lora", mark)
    (tmp_path / "artifacts/train-lora" / GONE / "manifest.json").unlink()
    home.reports.mkdir()
    page_of(home, "ada").write_text("x")
    record = BuildRecord(
        build="b", created="2026-01-01T00:00:00+00:00", parent=None, settings={}, inputs=(), skipped=(),
        stages={"mix": "c", "train-lora": OWN},
    )  # fmt: skip
    found = trainings_of(home, record)
    assert [(one.name, one.own, one.page) for one in found] == [
        ("own", True, None),
        ("ada", False, str(tmp_path / "reports/lora-ada.html")),
    ]
    assert Path(found[1].folder).resolve().name == LATER
    assert trainings_of(home, record.model_copy(update={"stages": {}})) == []
