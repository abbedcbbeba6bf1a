"""Bad input ends with one clear line, the right exit code, and nothing published."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

OFFLINE = ("--set", "toxicity.scorer=none")


def chat(path: Path, *replies: str) -> Path:
    """A generic export: one conversation with these replies."""
    turns = [
        m
        for r in replies
        for m in ({"role": "user", "content": "Tell me more of it"}, {"role": "assistant", "content": r})
    ]
    path.write_text(json.dumps({"messages": turns}), "utf-8")
    return path


def refused(answer: Any, home: Path, code: int, *words: str) -> None:
    lines = answer.errors.strip().splitlines()
    said = [line for line in lines if line.startswith("vatra: ")]
    assert answer.code == code, answer.errors
    assert len(said) == 1, answer.errors
    assert "Traceback" not in answer.errors
    assert "a bug" not in said[0], said
    for word in words:
        assert word in said[0], said[0]
    assert answer.object["error"], "the object of --json says it too"
    assert not list(home.glob("datasets/mix/*/manifest.json"))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["build", "{tmp}/nowhere"], 2, ["no such file", "nowhere"]),
        (["build", "{tmp}/empty"], 1, ["empty"]),
        (["build", "{tmp}/photos"], 1, ["no chat export", "photos"]),
        (["build", "{tmp}/notes.txt"], 1, ["notes.txt"]),
        (["build", "{tmp}/zero.json"], 1, ["empty file", "zero.json"]),
        (["build", "{tmp}/fake.zip"], 1, ["fake.zip"]),
        (["build", "{tmp}/list.json"], 1, ["no conversation"]),
        (["build", "{tmp}/pipe"], 1, ["neither a file nor a folder", "pipe"]),
        (["build", "{tmp}/mixed"], 1, ["no chat export", "cracked.zip", "damaged", "note.txt", "a link to nothing"]),
        (["build", "{tmp}/chat.json", "{tmp}/mixed/cracked.zip"], 1, ["damaged", "cracked.zip"]),
        (["build", "{tmp}/chat.json", "--set", "quality.min_char=3"], 2, ["Did you mean quality.min_chars?"]),
        (["build", "{tmp}/chat.json", "--settings", "{tmp}/typo.yaml"], 2, ["blacklst", "Did you mean blacklist?"]),
        (["build", "{tmp}/chat.json", "--settings", "{tmp}/none.yaml"], 2, ["no such settings file"]),
        (["build", "{tmp}/chat.json", "--settings", "{tmp}/broken.yaml"], 2, ["not valid YAML", "line"]),
        (["build", "{tmp}/chat.json", "--preset", "gentle"], 2, ["gentle", "default"]),
        (["build", "{tmp}/chat.json", "--blacklist", "(unclosed"], 2, ["(unclosed", "unclosed group"]),
        (["build", "{tmp}/chat.json", "--blacklist", "(?=a)b"], 2, ["(?=a)b", "look-around"]),
        (["build", "{tmp}/chat.json", "--blacklist", "a*"], 2, ["a*", "every message"]),
        (["build", "{tmp}/chat.json", "--toxicity-threshold", "1.5"], 2, ["toxicity.threshold", "1.5"]),
        (["build", "{tmp}/chat.json", "--toxicity-threshold", "nan"], 2, ["toxicity threshold"]),
        (["build", "{tmp}/chat.json", "--blacklist", ""], 2, ["blacklist", "at least 1 character"]),
        (["build", "{tmp}/chat.json", "--set", "mix.seed=2026-99-99"], 2, ["mix.seed", "not valid YAML"]),
        (["build", "{tmp}/chat.json", "--set", "mix.shares.absent=0"], 2, ["absent", "above 0"]),
        (["build", "{tmp}/" + "a" * 300], 2, ["too long"]),
        (["build", "{tmp}/\udcff"], 2, ["not valid UTF-8"]),
        (["build", "{tmp}/chat.json", "--set", "train.lora=big"], 2, ["big", "demo"]),
        (["build", "{tmp}/chat.json", "--set", "train.tribal=big"], 2, ["big", "nova-tiny"]),
        (["build", "{tmp}/chat.json", "--set", "toxicity.scorer=detoxify:original"], 2, ["vatra fetch", "profanity"]),
        (["build", "{tmp}/chat.json", "--workers", "0"], 2, ["worker"]),
        (["build"], 2, ["PATH"]),
        (["bild"], 2, ["bild"]),
        (["stage", "polish"], 2, ["polish", "filter"]),
        (["stage", "filter"], 2, ["no build yet"]),
        (["stage", "filter", "--build", "yesterday"], 2, ["yesterday"]),
        (["export", "--out", "{tmp}/out.jsonl"], 2, ["no build yet"]),
        (["report", "yesterday"], 2, ["yesterday"]),
    ],
)  # fmt: skip
def test_before_anything_is_begun(
    tmp_path: Path, home: Path, run_vatra: Any, arguments: list[str], code: int, words: list[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "notes.txt").write_text("Milk, bread, candles")
    (tmp_path / "zero.json").touch()
    (tmp_path / "fake.zip").write_bytes(b"this is not a zip")
    (tmp_path / "list.json").write_text("[]")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed/cracked.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "mixed/note.txt").write_text("Milk, bread, candles")
    (tmp_path / "mixed/link").symlink_to(tmp_path / "gone")
    (tmp_path / "typo.yaml").write_text("blacklst: {enabled: false}")
    (tmp_path / "broken.yaml").write_text("toxicity:\n  scorer: [")
    chat(tmp_path / "chat.json", "It is a long and quiet story.")
    given = [word.format(tmp=tmp_path) for word in arguments]
    place = ["--home", str(home)] if arguments[0] in ("build", "stage", "export", "report") else []
    scorer = (
        list(OFFLINE) if arguments[0] in ("build", "stage") and "toxicity.scorer" not in str(given) else []
    )
    answer = run_vatra(*given, *(scorer if len(given) > 1 else []), *place, "--json")
    refused(answer, home, code, *words)
    assert not (home / "builds").exists(), "nothing was begun"


def test_home_that_is_not_writable(tmp_path: Path, run_vatra: Any) -> None:
    (tmp_path / "file").touch()
    answer = run_vatra(
        "build", chat(tmp_path / "chat.json", "x"), "--home", tmp_path / "file" / "home", "--json"
    )
    refused(answer, tmp_path, 2, "home", "--home")


def test_home_whose_name_no_database_address_can_hold(tmp_path: Path, run_vatra: Any) -> None:
    answer = run_vatra("build", chat(tmp_path / "chat.json", "x"), "--home", tmp_path / "a?b#c", "--json")
    refused(answer, tmp_path, 2, "the home's path holds '#'")


def test_no_home_folder_is_known(tmp_path: Path, run_vatra: Any) -> None:
    answer = run_vatra(
        "build", chat(tmp_path / "chat.json", "x"), "--home", "~nobody-of-that-name/vatra", "--json"
    )
    refused(answer, tmp_path, 2, "home folder is not known")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read(tmp_path: Path, run_vatra: Any) -> None:
    secret = chat(tmp_path / "chat.json", "It is a long and quiet story.")
    secret.chmod(0)
    refused(
        run_vatra("build", secret, "--home", tmp_path / "home", *OFFLINE, "--json"), tmp_path, 1, "chat.json"
    )


def test_all_messages_filtered_away(tmp_path: Path, home: Path, run_vatra: Any) -> None:
    answer = run_vatra(
        "build", chat(tmp_path / "chat.json", "Ok.", "Yes", "..."), "--home", home, *OFFLINE, "--json"
    )
    refused(answer, home, 1, "at least one assistant message is left", "assistant_kept = 0", "single_word 2")
    assert Path(answer.object["report"]).exists(), "the report of the failure can be opened"
    assert "assistant message is left" in Path(answer.object["report"]).read_text("utf-8")
    assert answer.object["messages"]["parsed"] == {"assistant": 3, "user": 3}
    assert list(home.glob("rejected/filter/*/validation.json"))


def test_a_damaged_neighbour_does_not_stop_the_rest(tmp_path: Path, home: Path, run_vatra: Any) -> None:
    folder = tmp_path / "inbox"
    folder.mkdir()
    chat(folder / "chat.json", "It is a long and quiet story.")
    (folder / "cracked.zip").write_bytes(b"PK\x03\x04 and no more")
    os.mkfifo(folder / "pipe")
    answer = run_vatra("build", folder, "--home", home, *OFFLINE, "--json")
    assert answer.code == 0, answer.errors
    assert answer.object["messages"]["parsed"] == {"assistant": 1, "user": 1}
    [record] = (home / "builds").glob("*.json")
    skipped = dict(json.loads(record.read_text("utf-8"))["skipped"])
    assert skipped == {"cracked.zip": "not a zip file, or a damaged one", "pipe": "no regular file"}


def test_encrypted_and_damaged_members(tmp_path: Path, home: Path, run_vatra: Any) -> None:
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(
            "conversations.json", chat(tmp_path / "chat.json", "A reply of some length.").read_bytes()
        )
    data = bytearray(path.read_bytes())
    data[60] ^= 0xFF
    path.write_bytes(data)
    refused(run_vatra("build", path, "--home", home, *OFFLINE, "--json"), tmp_path, 1, "export.zip")
