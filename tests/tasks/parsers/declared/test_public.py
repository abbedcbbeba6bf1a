"""Every public set of the shared samples but the XHTML ones, declared without code; rows counted against its list."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from schemas.errors import InputError
from schemas.settings.sources_file import load_sources
from tests.tasks.parsers.declared.conftest import read_declared

HERE = Path(__file__).parent
SOURCES = load_sources(HERE / "public.yaml")
#: What the list counts in another way: one row is a tree with several branches, a page of text, a document.
COUNTED_OTHERWISE = {
    "oasst-trees": 626,  # the ends of 100 trees
    "toolalpaca": 100,  # ten interfaces with ten instructions each
    "shakespeare": 7222,  # paragraphs rather than lines
    "eminescu": 327,  # poems rather than lines
    "hexagrams": 64,
    "zodiac": 12,
    "ro-offense-ner": 100,  # a limit
}


def rows_listed(shared: Path, name: str) -> int:
    """The rows of a source's files in the list of the samples."""
    patterns = [str(Path(path).relative_to(HERE)) for path in SOURCES[name].path]
    total = 0
    with (shared / "data/public/MANIFEST.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            listed = row["file"].split("/ (")[0]
            total += any(Path(listed).match(p) or listed.startswith(p) for p in patterns) * int(row["rows"])
    return total


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_declared_without_code(shared: Path, name: str) -> None:
    source = SOURCES[name]
    paths = [shared / "data/public" / Path(path).relative_to(HERE) for path in source.path]
    declared = {key: getattr(source, key) for key in source.model_fields_set if key != "path"}
    found = read_declared(paths, **declared)
    assert found.tally["failed"] == 0
    assert found.tally["seen"] == COUNTED_OTHERWISE.get(name) or found.tally["seen"] == rows_listed(
        shared, name
    )
    assert found.tally["kept"] > 0
    assert not any("BENCHMARK DATA SHOULD NEVER APPEAR" in text for _, text in found.texts)


def test_a_set_without_answers_is_refused(shared: Path) -> None:
    questions = shared / "data/public/tool_api/bfcl_basic/BFCL_v4_multiple.json"
    with pytest.raises(
        InputError, match=r"none of the 200 records becomes a conversation \(no_reply 200\).*no reply"
    ):
        read_declared([questions], mapping={"turns": [{"each": "question"}]})


@pytest.mark.parametrize("name", ["gpteacher-codegen", "counsel-chat", "xquad-ro", "trivia"])
def test_a_wrong_name_is_answered_with_those_that_are_there(shared: Path, name: str) -> None:
    source = SOURCES[name]
    paths = [shared / "data/public" / Path(path).relative_to(HERE) for path in source.path]
    wrong = {"turns": [{"user": {"constant": "q"}}, {"assistant": "anwser"}]}
    with pytest.raises(InputError) as raised:
        read_declared(paths, mapping=wrong, read=source.read)
    assert "no record has the column 'anwser'; the columns are: " in str(raised.value)
    assert paths[0].name in str(raised.value) or name == "trivia"
