"""Real files against counts that were made by others: any folder with a MANIFEST.csv of this form can be added."""

from __future__ import annotations

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.errors import InputError
from tasks.parsers import discover

READ = ("chatgpt", "chatgpt_zip", "claude", "generic_alpaca", "generic_messages", "generic_sharegpt")
READ += ("generic_preference",)
#: More folders with a MANIFEST.csv, separated like PATH.
MORE = "VATRA_MORE_EXPORTS"


def rows(shared: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    folders = [
        shared / "data" / "exports",
        *map(Path, filter(None, os.environ.get(MORE, "").split(os.pathsep))),
    ]
    for folder in folders:
        with (folder / "MANIFEST.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                yield folder / row["file"], row


def test_counts_of_real_files(shared, read, subtests):
    compared = 0
    for path, row in rows(shared):
        if row["format"] not in READ or row["expect_counts"] != "yes":
            continue
        with subtests.test(path.name):
            result = read(discover([path]).files)
            # The manifest does not count the rejected side of preferences: we do, its prompt as repeated.
            rejected = sum(result.set_aside.get(reason, 0) for reason in ("rejected_reply", "repeated"))
            assert bool(rejected) == (row["format"] == "generic_preference")
            counts = {
                "conversations_in_file": result.tally["seen"],
                "conversations_nonempty": result.tally["kept"],
                "messages_in_file_all_branches": result.tally["messages_seen"] - rejected,
                "branch_points": sum(each["branches"] for each in result.conversations),
            }
            assert counts == {name: int(row[name]) for name in counts}
            assert Counter(role for role, _ in result.texts) == json.loads(row["visible_by_role"])
            assert len({each["message_id"] for each in result.messages}) == len(result.messages)
            compared += 1
    assert compared >= 20


def test_other_formats_are_never_misread(shared, subtests):
    names = {"grok": "Grok", "aistudio": "AI Studio", "openwebui": "Open WebUI", "librechat": "LibreChat"}
    names |= {
        "chatbotui": "chatbot-ui",
        "claude_code": "Claude Code",
        "deepseek": "DeepSeek",
        "telegram": "Telegram",
    }
    names |= {"instagram": "Facebook or Instagram", "agent_cli": "Gemini CLI"}
    for path, row in rows(shared):
        if row["format"] in READ or row["format"] == "malformed":
            continue
        with subtests.test(path.name), pytest.raises(InputError) as caught:
            discover([path])
        if row["format"] in names:
            assert f"recognised as {names[row['format']]}, which is not read yet" in str(caught.value)


def test_files_with_broken_messages_keep_the_good_ones(shared, read):
    folder = shared / "data" / "exports" / "malformed"
    [path] = folder.glob("*__conversation-with-errors.json")
    result = read(discover([path]).files)
    assert (result.tally["kept"], len(result.messages), result.tally["messages_seen"]) == (1, 6, 10)
    assert not any("antThinking" in text or "antArtifact" in text for _, text in result.texts)
    assert any("<h1>Hello World</h1>" in text for _, text in result.texts)
    [path] = folder.glob("*__conversations-multiple-errors.json")
    result = read(discover([path]).files)
    assert [result.tally[key] for key in ("seen", "kept", "empty", "failed")] == [5, 3, 1, 1]
    [path] = folder.glob("*__invalid_unicode.json")
    assert read(discover([path]).files).set_aside == {"unknown_role": 2}
