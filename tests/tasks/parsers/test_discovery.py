from __future__ import annotations

import os
import pickle
import socket
import sys
from pathlib import Path

import pytest

from schemas.errors import InputError, UsageError
from schemas.ids import hash_bytes
from tasks.parsers import discover, discovery, sources

from .conftest import CHATGPT, CLAUDE, reasons, zipped


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


@pytest.mark.parametrize("function", [(sources, "open_regular"), (Path, "stat")])
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
