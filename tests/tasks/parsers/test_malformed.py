"""Every file of the collection of malformed ones, as its EXPECTED.csv wants it."""

from __future__ import annotations

import csv

import pytest

from schemas.errors import InputError
from tasks.parsers import discover

#: seen, kept, empty, failed, duplicate; user messages, assistant messages
COUNTS = {
    "truncated.json": (3, 2, 0, 1, 0, 2, 2),
    "bom.json": (3, 3, 0, 0, 0, 3, 3),
    "latin1.json": (1, 1, 0, 0, 0, 1, 1),
    "nan.json": (1, 1, 0, 0, 0, 1, 1),
    "cycle.json": (1, 1, 0, 0, 0, 1, 1),
    "dangling_current_node.json": (1, 1, 0, 0, 0, 1, 1),
    "null_current_node.json": (1, 1, 0, 0, 0, 1, 1),
    "no_children_arrays.json": (1, 1, 0, 0, 0, 1, 1),
    "null_content.json": (1, 1, 0, 0, 0, 1, 0),
    "unknown_content_type.json": (1, 1, 0, 0, 0, 1, 0),
    "null_author_no_metadata.json": (1, 1, 0, 0, 0, 1, 0),
    "dup_ids.json": (2, 1, 0, 0, 1, 1, 1),
    "mapping_is_list.json": (2, 1, 0, 1, 0, 1, 1),
    "claude_null_message.json": (1, 1, 0, 0, 0, 1, 0),
    "mixed.jsonl": (6, 4, 0, 2, 0, 4, 4),
    "traversal.zip": (3, 3, 0, 0, 0, 3, 3),
    "shards.zip": (4, 4, 0, 0, 0, 4, 4),
}
ERRORS = {
    "empty.json": "holds no conversation",
    "zero_bytes.json": "empty file",
    "scalar.json": "not a chat export",
    "deep_nesting.json": "nested too deeply",
    "nested.zip": "inner.zip: a zip inside a zip",
    "bomb_50MB.zip": "no chat export found",
    "not_a_zip.zip": "not a zip file",
    "gz.json.gz": r"unsupported compression \(gzip\)",
}


@pytest.fixture
def malformed(shared):
    return shared / "data" / "malformed"


def test_every_expected_file_has_its_check(malformed):
    with (malformed / "EXPECTED.csv").open(encoding="utf-8", newline="") as file:
        assert {row["file"] for row in csv.DictReader(file)} == COUNTS.keys() | ERRORS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_is_read(malformed, read, name):
    result = read(discover([malformed / name]).files)
    tally = result.tally
    counts = [tally["seen"], tally["kept"], tally["empty"], tally["failed"], tally["set_aside:duplicate"]]
    roles = [sum(role == wanted for role, _ in result.texts) for wanted in ("user", "assistant")]
    assert (*counts, *roles) == COUNTS[name]


@pytest.mark.parametrize("name", ERRORS)
def test_is_refused(malformed, name):
    with pytest.raises(InputError, match=ERRORS[name]):
        discover([malformed / name])


def test_what_else_is_expected(malformed, read):
    def one(name):
        result = read(discover([malformed / name]).files)
        return result, result.imports[0]

    assert one("truncated.json")[1]["failures"] == [
        {"at": "byte offset 1409", "reason": "the file ends inside this element"}
    ]
    result, row = one("latin1.json")
    assert row["encoding"] == "cp1252"
    assert row["warnings"] == ["not UTF-8: read as Windows-1252"]
    assert result.texts[1] == ("assistant", "Café là")
    assert one("nan.json")[0].conversations[0]["created_at"] is None
    assert "circle" in one("cycle.json")[1]["warnings"][0]
    assert one("unknown_content_type.json")[0].set_aside == {"unknown_type:brand_new_2027": 1}
    assert [each["at"] for each in one("mixed.jsonl")[1]["failures"]] == ["line 3", "line 7"]
    assert [each["at"] for each in one("mapping_is_list.json")[1]["failures"]] == ["byte offset 1"]


def test_shards_overlap_in_one_conversation_and_account_data_stays_unread(malformed, read):
    found = discover([malformed / "shards.zip"])
    result = read(found.files)
    assert [file.member for file in found.files] == ["conversations-000.json", "conversations-001.json"]
    assert len({row["conversation_id"] for row in result.conversations}) == 3
    reasons = {each.label: each.reason for each in found.skipped}
    assert reasons["shards.zip: user.json"] == "account data, which is never read"
    assert len(reasons) == 4


def test_unsafe_names_are_reported(malformed):
    unsafe = [each.label for each in discover([malformed / "traversal.zip"]).skipped]
    assert len(unsafe) == 3


def test_an_empty_list_is_no_failure(malformed, read, source):
    result = read([source(malformed / "empty.json")])
    assert len(result.parts) == 1
    assert result.parts[0].tables.keys() == {"imports"}
    assert (result.tally["seen"], result.imports[0]["failures"]) == (0, [])


def test_deep_nesting_is_one_failure(malformed, read, source):
    result = read([source(malformed / "deep_nesting.json")])
    assert (result.tally["seen"], result.tally["failed"]) == (1, 1)
    assert result.imports[0]["failures"] == [{"at": "byte offset 1", "reason": "nested too deeply"}]
