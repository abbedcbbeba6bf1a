"""The inbox: what holds chats is taken once, what does not lies in quarantine with its reason, nothing is lost."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.inbox import SETTLED_AFTER, Inbox, in_quarantine, take_inbox, taken_exports
from storage.home import Home, open_home

NOW = 2_000_000_000.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home")


def drop(home: Home, name: str, data: bytes | None = None, age: float = 60) -> Path:
    path = home.inbox / name
    path.write_bytes(chat(name) if data is None else data)
    os.utime(path, (NOW - age, NOW - age))
    return path


def chat(word: str) -> bytes:
    turns = [
        {"role": "user", "content": f"Tell me of {word}"},
        {"role": "assistant", "content": f"A story of {word}."},
    ]
    return json.dumps({"messages": turns}).encode()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_an_export_is_taken_once(home: Home) -> None:
    drop(home, "a.json")
    assert take_inbox(home, NOW) == Inbox(taken=("a.json",))
    assert names(home.inbox) == [".lock", "quarantine", "taken"]
    assert (taken_exports(home), names(home.taken)) == ([home.taken], ["a.json"])
    assert take_inbox(home, NOW) == Inbox()


def test_what_cannot_be_read_lies_in_quarantine_with_its_reason(home: Home) -> None:
    drop(home, "notes.txt", b"milk, bread")
    drop(home, "broken.zip", b"PK\x03\x04 and no more")
    (home.inbox / "link.json").symlink_to(drop(home, "b.json"))
    found = take_inbox(home, NOW)
    assert found.taken == ("b.json",)
    assert [name for name, _ in found.quarantined] == ["broken.zip", "link.json", "notes.txt"]
    assert names(home.quarantine) == sorted(
        name + end for name, _ in found.quarantined for end in ("", ".reason.txt")
    )
    assert in_quarantine(home) == list(found.quarantined)
    assert "not a chat export" in dict(found.quarantined)["notes.txt"]
    assert str(home.path) not in dict(found.quarantined)["notes.txt"]


def test_what_still_arrives_is_left_alone(home: Home) -> None:
    drop(home, "fresh.json", age=SETTLED_AFTER - 1)
    drop(home, "half.json.crdownload")
    drop(home, ".hidden")
    folder = home.inbox / "unpacked"
    folder.mkdir()
    os.utime(folder, (NOW - 60, NOW - 60))
    (folder / "conversations.json").write_bytes(chat("a"))
    os.utime(folder / "conversations.json", (NOW - 1, NOW - 1))
    assert take_inbox(home, NOW) == Inbox(arriving=("fresh.json", "half.json.crdownload", "unpacked"))
    assert take_inbox(home, NOW + SETTLED_AFTER).taken == ("fresh.json", "unpacked")
    drop(home, "from-the-future.json", age=-86_400)
    assert take_inbox(home, NOW).taken == ("from-the-future.json",)


def test_another_file_of_the_same_name_and_the_same_file_again(home: Home) -> None:
    drop(home, "export.json", chat("one"))
    take_inbox(home, NOW)
    for word in ("two", "three"):
        drop(home, "export.json", chat(word))
        assert take_inbox(home, NOW).taken == ("export.json",)
    assert names(home.taken) == ["export-2.json", "export-3.json", "export.json"]
    drop(home, "again.json", chat("two"))
    ((name, reason),) = take_inbox(home, NOW).quarantined
    assert (name, "taken before, as export-2.json" in reason) == ("again.json", True)


def test_a_zip_is_taken_as_it_is(home: Home) -> None:
    with zipfile.ZipFile(home.inbox / "export.zip", "w") as archive:
        archive.writestr("chats/conversations.json", chat("a zip"))
    os.utime(home.inbox / "export.zip", (NOW - 60, NOW - 60))
    assert take_inbox(home, NOW).taken == ("export.zip",)


@pytest.mark.parametrize(
    "name",
    [
        b"bad\xff\xfename.txt",
        b"x" * 251 + b".txt",
        "ș".encode() * 120 + b".json",
        b"a\nb\x1b.txt",
        b"." * 2 + b"x" * 240,
    ],
)
def test_no_name_stops_the_inbox(home: Home, name: bytes) -> None:
    for data in (b"no chat", b"no chat either", chat("a")):
        path = Path(os.fsdecode(os.fsencode(home.inbox) + b"/" + name))
        path.write_bytes(data)
        os.utime(path, (NOW - 60, NOW - 60))
        found = take_inbox(home, NOW)
        told = [*found.taken, *(name for name, _ in found.quarantined)]
        if not name.startswith(b"."):  # hidden files are nobody's exports
            assert len(told) == 1
            assert not os.path.lexists(path)
        json.dumps([told, in_quarantine(home)], ensure_ascii=False).encode()
    assert all(reason for _, reason in in_quarantine(home))


FILES = st.sampled_from([b"", b"[]", b"{", b"PK\x03\x04", b"\x00\xff", chat("one"), chat("two"), b"<html>"])


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    dropped=st.dictionaries(st.sampled_from(["a.json", "b", "c.zip", "d.txt", "ă.json"]), FILES, max_size=5)
)
def test_nothing_that_was_dropped_is_lost(
    tmp_path_factory: pytest.TempPathFactory, dropped: dict[str, bytes]
) -> None:
    home = open_home(tmp_path_factory.mktemp("home"))
    for name, data in dropped.items():
        drop(home, name, data)
    found = take_inbox(home, NOW)
    assert sorted([*found.taken, *(name for name, _ in found.quarantined)]) == sorted(dropped)
    assert names(home.inbox) == [".lock", "quarantine", "taken"]
    kept = [
        p.read_bytes() for p in (*home.taken.iterdir(), *home.quarantine.iterdir()) if ".reason" not in p.name
    ]
    assert sorted(kept) == sorted(dropped.values())
    assert all(reason for _, reason in in_quarantine(home))
    assert take_inbox(home, NOW) == Inbox()
