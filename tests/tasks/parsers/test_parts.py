from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from schemas.errors import InputError
from schemas.ids import hash_bytes, hash_fields
from schemas.settings import ParseSettings
from tasks.parsers import discover, parse_files
from tasks.parsers.times import microseconds


def pair(number, size=10):
    return {"prompt": f"question {number}", "completion": "x" * size}


def test_parts_close_at_their_size_and_hold_whole_conversations(parse):
    result = parse([pair(number, 30_000) for number in range(10)], ParseSettings(part_bytes=1 << 16))
    assert [part.tally["conversations"] for part in result.parts] == [3, 3, 3, 1]
    for part in result.parts:
        rows = part.tables["conversations"].num_rows, part.tables["messages"].num_rows
        assert rows == (part.tally["conversations"], part.tally["messages"])
        assert part.tally["role:user"] + part.tally["role:assistant"] == rows[1]
    assert "seen" not in result.parts[0].tally
    assert result.tally["seen"] == 10


def test_a_part_may_hold_several_files(tmp_path, read):
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(json.dumps([pair(name)]))
    result = read(discover([tmp_path]).files)
    assert len(result.parts) == 1
    assert [row["conversations_kept"] for row in result.imports] == [1, 1]
    assert result.tally["seen"] == 2


def test_ids_and_hashes(parse, message, chat):
    item = chat(
        message("user", "Bună 🙂", id="m1"), message("user", "x", id="m1"), message("user", "x", id=None)
    )
    result = parse([item])
    [conversation], rows = result.conversations, result.messages
    assert conversation["conversation_id"] == hash_fields("chatgpt", "c1")
    assert rows[0]["content_hash"] == hash_bytes("Bună 🙂".encode())
    assert len({row["message_id"] for row in rows}) == 3
    again = parse([chat(message("user", "other")), item], name="other.json")
    assert [row["message_id"] for row in again.messages[1:]] != [row["message_id"] for row in rows]
    moved = parse([chat(message("user", "other"), name="c0"), item], name="other.json")
    assert [row["message_id"] for row in moved.messages[1:]] == [row["message_id"] for row in rows]


def test_without_native_ids_content_and_occurrence_count(parse, message, chat):
    item = chat(message("user", "same", id=""), name="")
    first = parse([item, item, chat(message("user", "other"), name="")])
    ids = [row["conversation_id"] for row in first.conversations]
    assert len(set(ids)) == 3
    hashes = [row["content_hash"] for row in first.conversations]
    assert ids[0] == hash_fields("chatgpt", hashes[0], 0)
    assert ids[1] == hash_fields("chatgpt", hashes[0], 1)


@pytest.mark.parametrize("times", [(1.0, 3.0, 2.0), (3.0, 1.0, 2.0), (None, 3.0, 3.0), ("bad", 1, None)])
def test_of_copies_the_newest_counts_even_when_it_comes_late(parse, message, chat, times):
    big = "x" * 70_000  # every conversation closes a part: an earlier one cannot be called back
    copies = [chat(message("user", f"copy {n} {big}"), updated=time) for n, time in enumerate(times)]
    others = [chat(message("user", big), name=f"o{n}") for n in range(2)]
    result = parse([copies[0], others[0], copies[1], copies[2], others[1]], ParseSettings(part_bytes=1 << 16))
    known = [-1.0 if microseconds(time) is None else time for time in times]
    assert [text[:6] for _, text in result.texts if text.startswith("copy")] == [
        f"copy {known.index(max(known))}"
    ]
    assert (result.tally["seen"], result.tally["kept"], result.tally["set_aside:duplicate"]) == (5, 3, 2)
    assert result.set_aside == {"duplicate_conversation": 2}


@pytest.mark.parametrize("named", [True, False])
def test_of_claude_copies_the_newest_counts(parse, named):
    copies = [
        {
            "uuid": "c",
            "updated_at": f"2026-01-0{day}T00:00:00Z",
            "chat_messages": [{"sender": "human", "text": f"{day}"}],
        }
        for day in (1, 3, 2)
    ]
    if named:
        copies = [{"uuid": "c", "name": "n", **copy} for copy in copies]
    result = parse(copies)
    assert result.texts == [("user", "3")]
    assert result.tally["set_aside:duplicate"] == 2


def test_a_broken_copy_does_not_displace_a_good_one(parse, message, chat):
    broken = {"conversation_id": "c1", "update_time": 9.0, "mapping": []}
    result = parse([chat(message("user", "good")), broken])
    assert (result.tally["kept"], result.tally["failed"]) == (1, 1)


def test_copies_under_the_other_id_key(parse, message, chat):
    first, second = chat(message("user", "q"), name="x"), chat(message("user", "q2"), updated=9.0)
    second["id"] = second.pop("conversation_id").replace("c1", "x")
    result = parse([first, second])
    assert (result.tally["kept"], result.tally["set_aside:duplicate"]) == (1, 1)
    assert result.texts == [("user", "q2")], "the newest copy counts, by whichever key it names itself"


@pytest.mark.parametrize("order", ["full first", "empty first"])
def test_of_copies_the_newest_that_says_something_counts(parse, message, chat, order):
    full = [chat(message("user", text), updated=time) for text, time in (("old", 1.0), ("newer", 2.0))]
    empty = [chat(message("user", " "), updated=3.0), chat(message("system", "s"), updated=4.0)]
    broken = {"conversation_id": "c1", "update_time": 9.0, "mapping": None}
    copies = [*full, *empty, broken] if order == "full first" else [*empty, broken, *full]
    result = parse(copies)
    assert result.texts == [("user", "newer")]
    counts = {
        kind: result.imports[0][f"conversations_{kind}"] for kind in ("kept", "empty", "failed", "duplicate")
    }
    assert counts == {"kept": 1, "empty": 2, "failed": 1, "duplicate": 1}
    assert result.set_aside == {"duplicate_conversation": 1, "empty": 1, "system": 1}


def test_of_claude_copies_the_newest_that_says_something_counts(parse):
    copies = [
        {"uuid": "c", "name": "n", "updated_at": f"2026-01-0{day}T00:00:00Z", "chat_messages": said}
        for day, said in (
            (1, [{"sender": "human", "text": "1"}]),
            (3, []),
            (2, [{"sender": "human", "text": "2"}]),
        )
    ]
    result = parse(copies)
    assert result.texts == [("user", "2")]
    assert (result.tally["empty"], result.tally["set_aside:duplicate"]) == (1, 1)


def test_surrogates_are_joined_or_replaced_and_nuls_go(parse):
    text = '[{"prompt": "\\ud83d\\ude00 \\ud83d x\\u0000y", "completion": "a"},'
    text += '{"prompt": "q", "completion": "\\udc00"}]'
    result = parse(text)
    assert result.texts[0][1] == "😀 \ufffd xy"
    assert result.texts[3][1] == "\ufffd"
    assert result.imports[0]["warnings"] == [
        "messages with NUL characters, removed: 1",
        "messages with broken characters (lone surrogates), repaired: 2",
    ]


def test_broken_characters_anywhere_do_not_stop_a_file(parse, message, chat):
    bad = "\ud800\0"
    item = chat(message("assistant", "a", id=bad), name=bad, title=bad, default_model_slug=bad)
    result = parse([item, {"mapping": {bad: {"message": None, "parent": bad}}, "current_node": bad}])
    assert result.conversations[0]["title"] == result.messages[0]["model"] == "\ufffd"
    message_type = {"content_type": f"new{bad}"}
    assert parse([chat(message("user", "q"), message("user", message_type))]).set_aside == {
        "unknown_type:odd_name": 1
    }


def test_progress_counts_every_byte_once(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([pair(n) for n in range(3)]) + " tail")
    told = []
    list(parse_files(discover([path]).files, ParseSettings(), told.append))
    assert sum(told) == path.stat().st_size


def test_an_edit_of_the_same_size_is_seen_too(tmp_path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([pair(n) for n in range(3)]))
    files = discover([path]).files
    text = path.read_text()
    last = max(i for i, character in enumerate(text) if character.isalpha())
    path.write_text(text[:last] + "z" + text[last + 1 :])
    with pytest.raises(InputError, match="changed while it was read"):
        list(parse_files(files, ParseSettings()))


@pytest.mark.parametrize("change", ["[]", "\xff\xfe\xfd" * 100])
def test_a_file_that_changes_in_between_is_refused(tmp_path, change):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([pair(n) for n in range(3)]))
    files = discover([path]).files
    path.write_bytes(change.encode("latin-1"))
    with pytest.raises(InputError, match="changed while it was read"):
        list(parse_files(files, ParseSettings()))


def test_failures_are_listed_up_to_a_bound(parse):
    result = parse([pair(1)] + [7] * 500)
    assert result.tally["failed"] == 500
    assert len(result.imports[0]["failures"]) == 200
    assert result.imports[0]["warnings"] == ["failures that are not listed: 300"]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (1_700_000_000, 1_700_000_000_000_000),
        (1_700_000_000.25, 1_700_000_000_250_000),
        (1_700_000_000_250, 1_700_000_000_250_000),
        ("1700000000.25", 1_700_000_000_250_000),
        ("2023-11-14T22:13:20.25Z", 1_700_000_000_250_000),
        ("2023-11-15T00:13:20.25+02:00", 1_700_000_000_250_000),
        ("2023-11-14T22:13:20.25", 1_700_000_000_250_000),
        (0, 0),
    ],
)
def test_times(value, wanted):
    assert microseconds(value) == wanted
    assert datetime.fromtimestamp(wanted / 1e6, UTC).year >= 1970


@pytest.mark.parametrize(
    "value",
    [None, True, -1, float("nan"), float("inf"), 1e17, 10**400, "", "bad", "1969-01-01T00:00:00Z", "nan", "1e400",
     "0001-01-01T00:00:00+14:00", [], {}, "9" * 40],
)  # fmt: skip
def test_times_that_are_none(value):
    assert microseconds(value) is None
