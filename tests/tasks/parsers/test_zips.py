from __future__ import annotations

import io
import json
import random
import zipfile

import pytest

from schemas.errors import InputError
from tasks.parsers import discover, discovery
from tasks.parsers.sidecars import is_unsafe

from .conftest import CHATGPT, CLAUDE, reasons, zipped


def test_a_damaged_or_locked_member_is_named(tmp_path):
    text = json.dumps(
        [{"uuid": f"{n}", "chat_messages": [{"sender": "human", "text": "x"}]} for n in range(50)]
    )
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("conversations.json", text)
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"human"', b'"humaN"', 1))
    with pytest.raises(InputError, match=r"checksum.*conversations\.json"):
        discover([path])
    locked = bytearray(data)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        locked[data.index(mark) + place] |= 1
    path.write_bytes(locked)
    with pytest.raises(InputError, match=r"encrypted.*conversations\.json"):
        discover([path])
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match="damaged"):
        discover([path])


def flawed_zip(path, flaw):
    """A zip with a good member and one with a flaw."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("bad.json", CLAUDE)
        archive.writestr("good.json", CLAUDE)
    data = bytearray(path.read_bytes())
    if flaw == "checksum":
        data[data.index(b"human")] ^= 1
    elif flaw == "name":
        data[data.index(b"bad.json")] ^= 1
    else:
        for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            at = data.index(mark) + place
            data[at] |= flaw == "encrypted"
            data[at + 2] = {"compression": 97, "lzma": 14, "bzip2": 12, "deflate": 8}.get(flaw, data[at + 2])
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("flaw", "reason"),
    [
        ("checksum", "the zip member is damaged: its checksum does not match"),
        ("name", "the zip member is damaged"),
        ("encrypted", "the zip member is encrypted"),
        ("compression", "the zip uses a compression that cannot be read"),
        ("lzma", "the zip member is damaged: its checksum does not match"),
        ("bzip2", "the zip member is damaged"),
        ("deflate", "the zip member is damaged"),
    ],
)
def test_one_damaged_member_costs_only_itself(tmp_path, flaw, reason):
    path = flawed_zip(tmp_path / "e.zip", flaw)
    found = discover([path])
    assert [file.member for file in found.files] == ["good.json"]
    assert reasons(found) == {"e.zip: bad.json": reason}
    assert reasons(discover([tmp_path])) == {"e.zip: bad.json": reason}


def test_damaged_neighbours_in_a_folder_are_passed_over_and_named_when_nothing_is_found(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04broken")
    zipped(tmp_path / "b.zip", {"note.txt": "x"})
    with pytest.raises(
        InputError, match=r"no chat export found in .*a\.zip: not a zip file.*note\.txt: not JSON"
    ):
        discover([tmp_path])
    (tmp_path / "chat.json").write_text(CLAUDE)
    found = discover([tmp_path])
    assert len(found.files) == 1
    assert set(reasons(found)) == {"a.zip", "b.zip: note.txt"}
    (tmp_path / "empty").mkdir()
    zipped(tmp_path / "empty/none.zip", {})
    for name in ("empty", "empty/none.zip"):
        with pytest.raises(InputError, match="there is no file in it"):
            discover([tmp_path / "chat.json", tmp_path / name])
    nameless = zipped(tmp_path / "n.zip", {"x": CLAUDE, "b.json": CLAUDE}).read_bytes()
    (tmp_path / "n.zip").write_bytes(nameless.replace(b"x" + nameless[31:33], b"\0" + nameless[31:33]))
    assert len(discover([tmp_path / "n.zip"]).files) >= 1
    for name, what in (("a.zip", "not a zip file, or a damaged one"), ("b.zip", "no chat export found")):
        with pytest.raises(InputError, match=what):
            discover([tmp_path / "chat.json", tmp_path / name])


def test_numbers_of_any_length_in_names(tmp_path):
    names = [
        "c-" + "9" * 5000 + ".json",
        "c-10.json",
        "c-9.json",
        "c-09.json",
        "c-0.json",
        "c.json",
        "٣.json",
    ]
    path = zipped(tmp_path / "e.zip", dict.fromkeys(names, CLAUDE))
    members = [file.member for file in discover([path]).files]
    assert members == ["٣.json", "c-0.json", "c-09.json", "c-9.json", "c-10.json", names[0], "c.json"]


def test_a_zip_of_which_anything_is_damaged_is_one_clear_error_or_passed_over(tmp_path):
    whole = zipped(tmp_path / "e.zip", {"a.json": CLAUDE, "b.json": CHATGPT}).read_bytes()
    path = tmp_path / "damaged.zip"
    chance = random.Random(1)
    said = []
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(4, len(data))
            data[at] = chance.choice((0, 1, 0x7F, 0xFF, chance.randrange(256)))
        path.write_bytes(data[: chance.choice((len(data), chance.randrange(4, len(data))))])
        try:
            found = discover([path])
        except InputError as error:
            said.append(error.what)
        else:
            said += [each.reason for each in found.skipped]
            assert found.files or found.skipped
    assert len(set(said)) >= 5, "several kinds of damage were met"


def test_bombs_are_refused_by_what_they_claim(tmp_path, monkeypatch):
    monkeypatch.setattr(discovery, "BOMB_BYTES", 1000)
    path = zipped(tmp_path / "e.zip", {"big.json": "[" + " " * 500_000 + "]", "conversations.json": CLAUDE})
    [reason] = reasons(discover([path])).values()
    assert "refused" in reason


@pytest.mark.parametrize(
    "name", ["../a", "a/../../b", "/etc/x", "\\x", "..\\win\\x", "C:\\x", "c:x", "a\\..\\b"]
)
def test_names_that_lead_out_of_the_zip(name):
    assert is_unsafe(name)
    assert not is_unsafe("a..b/c.json")


def test_members_of_one_name_are_not_mixed_up(tmp_path, read):
    path = tmp_path / "e.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.json", CHATGPT)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr("a.json", CLAUDE)
    found = discover([path])
    assert reasons(found) == {"e.zip: a.json": "another member has the same name"}
    assert read(found.files).texts == [("user", "hello")]


def test_a_zip_member_is_read_without_extracting(tmp_path, read):
    path = zipped(tmp_path / "e.zip", {"conversations.json": CLAUDE})
    before = sorted(tmp_path.iterdir())
    assert read(discover([path]).files).texts == [("user", "hello")]
    assert sorted(tmp_path.iterdir()) == before
    assert zipfile.ZipFile(io.BytesIO(path.read_bytes())).namelist() == ["conversations.json"]
