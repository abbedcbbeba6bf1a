from __future__ import annotations

import io
import json
import os
import pickle
import random
import socket
import sys
import zipfile
from pathlib import Path

import pytest

from schemas.errors import InputError, UsageError
from schemas.ids import hash_bytes
from tasks.parsers import discover, discovery
from tasks.parsers.sidecars import is_unsafe
from tasks.parsers.sniffing import SNIFFED_BYTES

CLAUDE = json.dumps([{"uuid": "c", "chat_messages": [{"sender": "human", "text": "hello"}]}])
CHATGPT = json.dumps([{"mapping": {}}])


def reasons(found):
    return {each.label: each.reason for each in found.skipped}


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_file_is_known_by_its_content(tmp_path):
    path = tmp_path / "anything.bin"
    path.write_text(CLAUDE)
    told = []
    [file] = discover([path], told.append).files
    assert (file.format, file.source, file.member, file.encoding) == ("claude", "claude", None, "utf-8")
    assert (file.digest, file.size) == (hash_bytes(CLAUDE.encode()), len(CLAUDE))
    assert sum(told) == file.size
    assert file.label == "anything.bin"
    assert pickle.loads(pickle.dumps(file)) == file


def test_folders_and_zips_give_the_union_and_say_what_was_skipped(tmp_path, read):
    folder = tmp_path / "inbox"
    (folder / "deep").mkdir(parents=True)
    for name in ("conversations-10.json", "conversations-9.json", "conversations.json"):
        (folder / "deep" / name).write_text(CLAUDE)
    (folder / "users.json").write_text(CLAUDE)
    (folder / "note.txt").write_text("not a chat")
    (folder / "empty.json").write_text("")
    (folder / "list.json").write_text("[]")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    (folder / "old.zip").write_text("no zip")
    inner = zipped(tmp_path / "inner.zip", {"a.json": CLAUDE}).read_bytes()
    zipped(folder / "export.zip", {"conversations.json": CHATGPT, "inner.zip": inner, "chat.html": "<html>"})
    found = discover([folder])
    assert [file.label for file in found.files] == [
        "conversations-9.json", "conversations-10.json", "conversations.json", "export.zip: conversations.json",
    ]  # fmt: skip
    assert {file.format for file in found.files} == {"claude", "chatgpt"}
    assert reasons(found) == {
        "users.json": "account data, which is never read",
        "note.txt": "not JSON",
        "empty.json": "empty file",
        "list.json": "holds no conversation",
        "photo.png": "not a text file",
        "old.zip": "not a zip file, whatever its name says",
        "export.zip: inner.zip": "a zip inside a zip: unpack it and give it by itself",
        "export.zip: chat.html": "comes with exports and holds no chat",
    }
    assert read([file for file in found.files if file.format == "claude"]).tally["kept"] == 3


def test_account_data_is_not_even_opened(tmp_path, monkeypatch):
    (tmp_path / "user.json").write_text(CLAUDE)
    (tmp_path / "a.json").write_text(CLAUDE)
    opened = []
    real = discovery.opened
    monkeypatch.setattr(
        discovery, "opened", lambda path, member=None: opened.append(path.name) or real(path, member)
    )
    discover([tmp_path])
    assert opened == ["a.json"]
    with pytest.raises(InputError, match="never read"):
        discover([tmp_path / "user.json"])


@pytest.mark.parametrize(
    ("name", "content", "what"),
    [
        ("a.json", b"", "empty file"),
        ("a.json", b"  \n", "empty file"),
        ("a.zip", b"nothing", "not a zip file"),
        ("a.zip", b"PK\x03\x04broken", "not a zip file, or a damaged one"),
        ("a.json.gz", b"\x1f\x8b\x08", "unsupported compression"),
        ("a.json", b"<!DOCTYPE html><html>", "HTML page"),
        ("a.json", b'{"some": "object"}', "no chat format"),
        ("a.json", b"[]", "holds no conversation"),
        ("a.json", b'{"conversations": []}', "no chat format"),
        ("a.csv", b"Conversation,Time,Author,Message\n", "Microsoft Copilot"),
        ("a.json", b'[{"mapping": {"a": {"message": {"fragments": []}}}}]', "recognised as DeepSeek"),
        ("a.json", b'[[{"chatId": 1, "role": "user", "content": "x"}]]', "recognised as Le Chat"),
        ("a.json", b'{"message_id": 1, "parent_id": null, "role": "prompter", "text": "x"}', "OpenAssistant"),
        ("a.json", b'[{"role": "user", "text": "x"}]', "no chat format"),
        ("a.json", b'{"guild": {}, "channel": {}, "messages": []}', "recognised as Discord"),
        ("a.jsonl", b'{"user_name": "a", "character_name": "b"}\n{"mes": "x"}', "recognised as SillyTavern"),
        ("a.json", b'{"messages": [{"role": "user", "versions": []}]}', "recognised as LM Studio"),
    ],
)
def test_a_file_given_by_name_must_be_a_chat(tmp_path, name, content, what):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=what) as caught:
        discover([path])
    assert name in str(caught.value)


def test_paths_that_do_not_exist_and_folders_without_chats(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        discover([tmp_path / "gone"])
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(InputError, match=r"no chat export found in .*note.txt: not JSON"):
        discover([tmp_path])


def test_an_empty_list_beside_a_chat_is_only_skipped(tmp_path):
    (tmp_path / "empty.json").write_text("[]")
    (tmp_path / "chat.json").write_text(CLAUDE)
    found = discover([tmp_path / "empty.json", tmp_path / "chat.json"])
    assert (len(found.files), reasons(found)) == (1, {"empty.json": "holds no conversation"})
    assert reasons(discover([tmp_path / "chat.json", tmp_path])) == {
        "chat.json": "given twice", "empty.json": "holds no conversation",
    }  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_pipes_and_dangling_links_do_not_hang(tmp_path):
    (tmp_path / "chat.json").write_text(CLAUDE)
    os.mkfifo(tmp_path / "pipe")
    assert reasons(discover([tmp_path])) == {"pipe": "no regular file"}
    with pytest.raises(InputError, match="neither a file nor a folder"):
        discover([tmp_path / "pipe"])
    (tmp_path / "loop").symlink_to(tmp_path)
    assert reasons(discover([tmp_path]))["loop"] == "a link to a folder, which is not followed"
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    said = reasons(discover([tmp_path]))
    assert said["link"] == "a link to nothing"
    assert "levels of symbolic links" in said["a"]
    with pytest.raises(InputError, match="a link to nothing"):
        discover([tmp_path / "link"])
    with pytest.raises(InputError, match="levels of symbolic links"):
        discover([tmp_path / "a"])


def test_sockets_and_devices_are_no_files(tmp_path):
    (tmp_path / "chat.json").write_text(CLAUDE)
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(tmp_path)  # the name of a socket must be short
        try:
            server.bind("s")
        finally:
            os.chdir(before)
        assert reasons(discover([tmp_path])) == {"s": "no regular file"}
        with pytest.raises(InputError, match="neither a file nor a folder"):
            discover([tmp_path / "s"])
    (tmp_path / "zero").symlink_to("/dev/zero")
    assert reasons(discover([tmp_path]))["zero"] == "no regular file"
    with pytest.raises(InputError, match="neither a file nor a folder"):
        discover([tmp_path / "zero"])


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("a\0b", "no such file"),
        ("a" * 300, "too long"),
        ("\udcff", "not valid UTF-8"),
        ("chat.json/x", "no such"),
    ],
)
def test_names_that_cannot_be(tmp_path, name, what):
    (tmp_path / "chat.json").write_text(CLAUDE)
    with pytest.raises(UsageError, match=what) as caught:
        discover([tmp_path / name])
    str(caught.value).encode()


def denied(monkeypatch, function, last):
    """Make a function of pathlib or os refuse paths that end so, as the system does to those who are not root."""
    owner, name = function
    real = getattr(owner, name)

    def refuse(path, *args, **kwargs):
        if str(path).endswith(last):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *args, **kwargs)

    monkeypatch.setattr(owner, name, refuse)


@pytest.mark.parametrize("function", [(Path, "open"), (Path, "stat")])
def test_a_file_that_may_not_be_read_is_passed_over_and_its_name_refused(tmp_path, monkeypatch, function):
    (tmp_path / "a.json").write_text(CLAUDE)
    (tmp_path / "b.txt").write_text("x")
    denied(monkeypatch, function, "b.txt")
    found = discover([tmp_path])
    assert reasons(found) == {"b.txt": "cannot be read: Permission denied"}
    assert len(found.files) == 1
    with pytest.raises(InputError, match=r"cannot be read: Permission denied .*b\.txt"):
        discover([tmp_path / "a.json", tmp_path / "b.txt"])
    (tmp_path / "a.json").unlink()
    with pytest.raises(InputError, match=r"cannot be read: Permission denied .*b\.txt"):
        discover([tmp_path])


def test_a_folder_within_that_cannot_be_listed_is_passed_over(tmp_path, monkeypatch):
    (tmp_path / "open/locked").mkdir(parents=True)
    (tmp_path / "open/a.json").write_text(CLAUDE)
    (tmp_path / "open/locked/b.json").write_text(CLAUDE)
    denied(monkeypatch, (os, "scandir"), "locked")
    found = discover([tmp_path])
    assert (len(found.files), reasons(found)) == (1, {"open/locked": "cannot be read: Permission denied"})
    with pytest.raises(InputError, match=r"cannot be read: Permission denied .*locked"):
        discover([tmp_path / "open/locked"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_locked_files_and_folders_for_those_who_are_not_root(tmp_path):
    for name in ("locked", "listed", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.json").write_text(CLAUDE)
    (tmp_path / "locked").chmod(0)
    (tmp_path / "listed").chmod(0o444)
    try:
        found = discover([tmp_path])
        with pytest.raises(InputError, match="Permission denied"):
            discover([tmp_path / "locked"])
    finally:
        (tmp_path / "locked").chmod(0o755)
        (tmp_path / "listed").chmod(0o755)
    assert set(reasons(found)) == {"locked", "listed/a.json"}


def test_a_file_that_goes_away_while_it_is_looked_for(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(CLAUDE)
    (tmp_path / "b.json").write_text(CLAUDE)
    real = discovery.name_reason
    monkeypatch.setattr(
        discovery, "name_reason", lambda name: (tmp_path / "b.json").unlink(True) or real(name)
    )
    assert reasons(discover([tmp_path])) == {"b.json": "no such file or folder"}


def test_a_name_that_is_no_utf8_in_a_folder_is_passed_over(tmp_path):
    (tmp_path / "a.json").write_text(CLAUDE)
    try:
        Path(os.fsdecode(bytes(tmp_path) + b"/caf\xe9.json")).write_text(CLAUDE)
    except OSError:
        pytest.skip("this file system takes no such name")
    found = discover([tmp_path])
    assert (len(found.files), reasons(found)) == (
        1,
        {"'caf\\udce9.json'": "its name is not valid UTF-8: rename it"},
    )


def test_folders_may_lie_deep(tmp_path):
    folders = [tmp_path]
    try:
        for _ in range(sys.getrecursionlimit() + 50):
            (inner := folders[-1] / "d").mkdir()
            folders.append(inner)
        (tmp_path / "d/a.json").write_text(CLAUDE)
        assert len(discover([tmp_path]).files) == 1
    finally:  # what others remove by recursion
        (tmp_path / "d/a.json").unlink(missing_ok=True)
        for folder in reversed(folders[1:]):
            folder.rmdir()


def test_a_given_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "a.json").write_text(CLAUDE)

    def deny(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(InputError, match="Permission denied"):
        discover([tmp_path])


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


RECORD = json.dumps({"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]})


@pytest.mark.parametrize(
    "bad", ["null", "// note", "# x", '{"messages": [{"role": "us', "{}", "---", "[1, 2"]
)
@pytest.mark.parametrize("records", [1, 2, 30])
def test_lines_with_a_bad_first_one_are_read(parse, bad, records):
    result = parse("\n".join([bad, *[RECORD] * records]))
    assert (result.tally["kept"], result.tally["failed"]) == (records, 1)
    assert result.imports[0]["failures"][0]["at"] == "line 1"


def test_a_long_line_behind_a_bad_first_one_is_known_by_its_beginning(parse):
    record = {"messages": [{"role": "user", "content": "x" * SNIFFED_BYTES}]}
    assert parse("null\n" + json.dumps(record)).tally["kept"] == 1


@pytest.mark.parametrize(
    "text",
    [
        f"# Notes\n\nA chat:\n```json\n{RECORD}\n```\nThat was it.\n",
        f"# Notes\n\nA chat:\n\n{RECORD}\n",
        f"[ ] milk\n[x] bread\n{RECORD}\n",
        f"[a link](http://example.org) and {RECORD}\n",
        f"[1] {RECORD}\n[2] {RECORD}\n",
        f"id;text\n1;{RECORD}\n{RECORD}\n",
        f'id,text\n1,"{RECORD}"\n',
        f"<div>\n{RECORD}\n</div>",
        f"<html><script>var chats = [{RECORD}, {RECORD}]</script></html>",
        f"var chats = [{RECORD}];\n",
        f"INFO {RECORD}\nINFO {RECORD}\n",
        f"[2026-01-01 10:00:00] {RECORD}\n" * 3,
        f"10:00 asked\n{RECORD}\n10:01 answered\n{RECORD}\n",
        '{"level": "info"}\n' * 9 + "end\n",
        f'"{RECORD}"',
    ],
)
def test_text_in_which_json_occurs_is_no_chat(tmp_path, text):
    path = tmp_path / "note.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"not a chat export: (not JSON|no chat format|an HTML page)"):
        discover([path])


def test_the_first_items_may_be_broken_or_null(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('[null, {bad}, {"mapping": 7}, ' + CHATGPT[1:])
    assert discover([path]).files[0].format == "chatgpt"


def test_a_first_conversation_larger_than_what_is_looked_at(tmp_path, read):
    message = {"author": {"role": "user"}, "content": {"parts": ["x" * (SNIFFED_BYTES + 10)]}}
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"title": "t", "mapping": {"a": {"message": message}}, "current_node": "a"}]))
    found = discover([path])
    assert found.files[0].format == "chatgpt"
    assert read(found.files).tally["kept"] == 1
    path.write_text(json.dumps({"chats": {"list": [{"name": "n"}], "x": "y" * SNIFFED_BYTES}}))
    with pytest.raises(InputError, match="recognised as Telegram"):
        discover([path])


def test_a_zip_member_is_read_without_extracting(tmp_path, read):
    path = zipped(tmp_path / "e.zip", {"conversations.json": CLAUDE})
    before = sorted(tmp_path.iterdir())
    assert read(discover([path]).files).texts == [("user", "hello")]
    assert sorted(tmp_path.iterdir()) == before
    assert zipfile.ZipFile(io.BytesIO(path.read_bytes())).namelist() == ["conversations.json"]
