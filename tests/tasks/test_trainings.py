"""What was trained from a corpus is found by what its lineage says, whatever it is called."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from schemas.ids import canonical_json
from schemas.manifest import BuildRecord
from storage.home import Home
from storage.names import give_name
from tasks.lineage import LINEAGE, lineage_schema
from tasks.training_kinds import KINDS, LORA, NOVA, TrainingKind
from tasks.trainings import trainings_of

OWN, LATER, FOREIGN, GONE = "1" * 32, "2" * 32, "3" * 32, "4" * 32


def stands(home: Home, kind: TrainingKind, mark: str, corpus: str) -> None:
    folder = home.path / "artifacts" / kind.stage / mark
    folder.mkdir(parents=True)
    told = {b"vatra.corpus": corpus.encode(), b"vatra.build": b"b"}
    pq.write_table(lineage_schema().with_metadata(told).empty_table(), folder / LINEAGE)
    (folder / "manifest.json").write_bytes(canonical_json({"account": {}, "files": {LINEAGE: "x"}}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names)
def test_by_corpus_the_builds_own_first(tmp_path: Path, kind: TrainingKind) -> None:
    home = Home(tmp_path)
    for mark, corpus, name in (
        (OWN, "c", "own"), (LATER, "c", "ada"), (FOREIGN, "d", "foreign"), (GONE, "c", "gone")
    ):  # fmt: skip
        stands(home, kind, mark, corpus)
        give_name(home.store, kind.names, name, kind.stage, mark)
    (tmp_path / "artifacts" / kind.stage / GONE / "manifest.json").unlink()
    home.reports.mkdir()
    kind.page_of(home, "ada").write_text("x")
    record = BuildRecord(
        build="b", created="2026-01-01T00:00:00+00:00", parent=None, settings={}, inputs=(), skipped=(),
        stages={"mix": "c", kind.stage: OWN},
    )  # fmt: skip
    found = trainings_of(home, kind, record)
    assert [(one.name, one.own, one.page) for one in found] == [
        ("own", True, None),
        ("ada", False, str(tmp_path / f"reports/{kind.names}-ada.html")),
    ]
    assert Path(found[1].folder).resolve().name == LATER
    assert trainings_of(home, kind, record.model_copy(update={"stages": {}})) == []
    other = NOVA if kind is LORA else LORA
    assert trainings_of(home, other, record) == [], "a name of one kind is none of the other"
