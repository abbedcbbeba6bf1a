from __future__ import annotations

import json

import pytest

from schemas.errors import InputError
from tasks.parsers import discover
from tasks.parsers.sniffing import SNIFFED_BYTES

from .conftest import CHATGPT


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
