"""What holds for every file: nothing vanishes uncounted, and nothing but a VatraError is ever raised.

By hand, with many examples: VATRA_FUZZ=20000 python -m pytest tests/tasks/parsers/test_invariants.py
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from schemas.errors import VatraError
from schemas.manifest import SourceFile
from tasks.parsers import discover, examine
from tasks.parsers.registry import PARSERS

from .conftest import read_files

FUZZ = int(os.environ.get("VATRA_FUZZ", "0"))
many = settings(
    max_examples=FUZZ or 60,
    derandomize=not FUZZ,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

TEXT = st.sampled_from(
    ["", " ", "hello", "Bună 🙂", 'a "quoted" [x] {y}: 1,', "line\nline\r\n", "\ud83d", "cite\0"]
)
TEXT |= st.text(max_size=8)
TIME = st.sampled_from([None, 1.0, 2, 3.5, "2026-01-01T00:00:00Z", "no time", float("nan"), -1])
NATIVE = st.sampled_from(["c1", "c2", "c3", None, ""])

# Each strategy gives an item of a file and how many messages a person counts in it.


@st.composite
def chatgpt(draw):
    mapping, names = {}, []
    for number in range(draw(st.integers(0, 6))):
        said = {
            "author": {"role": draw(st.sampled_from(["user", "assistant", "system", "tool", "critic"]))},
            "content": {
                "content_type": draw(st.sampled_from(["text", "code", "new"])),
                "parts": [draw(TEXT)],
            },
            "create_time": draw(TIME),
        }
        parent = draw(st.sampled_from(names)) if names and draw(st.booleans()) else None
        message = draw(st.sampled_from([said, said, said, None]))
        mapping[f"n{number}"] = {"message": message, "parent": parent, "children": []}
        names.append(f"n{number}")
    item = {"title": draw(TEXT), "update_time": draw(TIME), "mapping": mapping}
    item |= {"conversation_id": draw(NATIVE), "current_node": draw(st.sampled_from([*names, None]))}
    return item, sum(node["message"] is not None for node in mapping.values())


@st.composite
def claude(draw):
    block = st.fixed_dictionaries(
        {"type": st.sampled_from(["text", "thinking", "tool_use", "new"]), "text": TEXT}
    )
    message = st.fixed_dictionaries(
        {"sender": st.sampled_from(["human", "assistant", "x"]), "text": TEXT},
        optional={
            "uuid": st.sampled_from(["1", "2", "3"]),
            "parent_message_uuid": st.sampled_from(["1", "2"]),
            "content": st.lists(block | TEXT, max_size=3),
            "attachments": st.lists(st.fixed_dictionaries({"extracted_content": TEXT}), max_size=2),
        },
    )
    messages = draw(st.lists(message | st.none() | TEXT, max_size=6))
    item = {"uuid": draw(NATIVE), "name": draw(TEXT), "updated_at": draw(TIME), "chat_messages": messages}
    return item, len(messages)


ROLES = st.sampled_from(["user", "assistant", "system", "tool", "nobody"])
TURN = st.fixed_dictionaries({"role": ROLES, "content": TEXT | st.lists(TEXT, max_size=2)})
FROM = st.fixed_dictionaries({"from": st.sampled_from(["human", "gpt", "observation"]), "value": TEXT})
SAYING = st.sampled_from(["q", "a", "b", "Bună"])  # texts that say something: a blank field is no message


@st.composite
def generic(draw):
    kind = draw(st.sampled_from(["messages", "sharegpt", "alpaca", "pair", "preference", "list"]))
    first = {"role": "user", "content": "q"}
    turns = [first, *draw(st.lists(TURN | st.none(), max_size=4))]
    item, count = {}, 0
    if kind == "list":
        return turns, len(turns)
    if kind == "messages":
        item, count = {"messages": turns}, len(turns)
    elif kind == "sharegpt":
        given = [{"from": "human", "value": "q"}, *draw(st.lists(FROM, max_size=4))]
        item, count = {"conversations": given}, len(given)
    elif kind == "alpaca":
        history = draw(st.lists(st.lists(SAYING, min_size=2, max_size=2), max_size=2))
        output = draw(SAYING | st.lists(SAYING, min_size=1, max_size=3))
        item = {"instruction": draw(SAYING), "input": draw(TEXT), "output": output, "history": history}
        count = 1 + (len(output) if isinstance(output, list) else 1) + 2 * len(history)
    elif kind == "pair":
        item, count = {"prompt": draw(SAYING), "completion": draw(SAYING)}, 2
    else:
        keys = draw(st.sampled_from([("chosen_messages", "rejected_messages"), ("chosen", "rejected")]))
        other = draw(st.lists(TURN, max_size=3))
        item, count = {keys[0]: turns, keys[1]: other}, len(turns) + len(other)
    system = draw(st.sampled_from([None, "s", 5]))
    return item | {"system": system}, count + (system is not None)


FORMATS = {"chatgpt": chatgpt(), "claude": claude(), "generic": generic()}


def packed(items, shape):
    """The items as a file of that shape."""
    lines = [json.dumps(item) for item in items]
    if shape == "array":
        return json.dumps(items)
    if shape == "pretty":
        return json.dumps(items, indent=2)
    if shape == "lines":
        return "\n".join(lines) + "\n"
    if shape == "wrapped":
        return json.dumps({"version": 1, "conversations": items, "more": [{"x": 1}]})
    if shape == "arrays":
        return "".join(json.dumps([item]) for item in items)
    if shape == "pretty objects":
        return "\n".join(json.dumps(item, indent=1) for item in items)
    return "".join(lines)


def written(folder, data):
    path = Path(folder) / "export.json"
    path.write_bytes(data)
    return path


def source_of(path, kind):
    known = examine(path)
    return SourceFile(
        path=str(path), member=None, digest=known.digest, checksum=known.checksum, size=known.size,
        encoding=known.encoding, format=kind, source=kind,
    )  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
@many
@given(st.data())
def test_every_message_of_a_good_file_is_counted_once(kind, data):
    drawn = data.draw(st.lists(FORMATS[kind], min_size=1, max_size=5))
    shapes = ["array", "pretty", "lines", "glued", "pretty objects"]
    items, counts = [item for item, _ in drawn], [count for _, count in drawn]
    if kind != "generic":  # there these are the turns of one conversation, or lists of one
        shapes += ["wrapped", "arrays"]
    elif any(isinstance(item, list) for item in items):
        shapes = ["array", "lines"]
    text = packed(items, data.draw(st.sampled_from(shapes)))
    codec = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]))
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, text.encode(codec))
        if codec == "utf-32-le":  # without its mark it is nothing that anybody writes
            path.write_bytes(text.encode("utf-32"))
        result = read_files([source_of(path, kind)])
    assert result.tally["failed"] == 0
    assert result.tally["seen"] == len(items)
    assert result.tally["messages_seen"] == sum(counts)


def mangled(data, content):
    """Bytes of a file after some accidents."""
    for _ in range(data.draw(st.integers(1, 3))):
        size = len(content)
        at, end = sorted((data.draw(st.integers(0, size)), data.draw(st.integers(0, size))))
        accident = data.draw(
            st.sampled_from(["cut", "drop", "twice", "bytes", "quote", "head", "swap", "nul"])
        )
        short = content[at : min(end, at + 20)]
        content = {
            "cut": content[:at],
            "drop": content[:at] + content[end:],
            "twice": content[:end] + content[at:],
            "bytes": content[:at] + data.draw(st.binary(max_size=5)) + content[at + 1 :],
            "quote": content[:at] + data.draw(st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b"\\", b"\n"]))
            + content[at:],
            "head": content[at:],
            "swap": content[:at] + short[::-1] + content[at + len(short) :],
            "nul": content[:at] + b"\0" * len(short) + content[at + len(short) :],
        }[accident]  # fmt: skip
    return content


@pytest.mark.parametrize("kind", FORMATS)
@many
@given(st.data())
def test_a_mangled_file_is_read_in_part_or_refused_in_words(kind, data):
    items = [item for item, _ in data.draw(st.lists(FORMATS[kind], min_size=1, max_size=4))]
    shape = data.draw(st.sampled_from(["array", "pretty", "lines", "glued", "wrapped", "arrays"]))
    codec = data.draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32"]))
    content = mangled(data, packed(items, shape).encode(codec))
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, content)
        try:
            read_files(discover([path]).files)  # the ledger is checked there
        except VatraError as error:
            assert "export.json" in str(error)  # noqa: PT017 (both ways out are right)
        read_files([source_of(path, kind)])  # nobody refuses it here


JUNK = (
    st.none()
    | st.booleans()
    | st.integers()
    | TEXT
    | st.just([])
    | st.just({})
    | st.just([None, "x", {"y": []}])
)


def altered(data, value):
    """A JSON value in which one thing, at any depth, is something else; or is missing."""
    if isinstance(value, (dict, list)) and value and data.draw(st.integers(0, 5)):
        copy = value.copy()
        key = data.draw(st.sampled_from(list(copy) if isinstance(copy, dict) else range(len(copy))))
        if data.draw(st.integers(0, 9)):
            copy[key] = altered(data, copy[key])
        else:
            del copy[key]
        return copy
    return data.draw(JUNK)


@pytest.mark.parametrize("kind", FORMATS)
@many
@given(st.data())
def test_any_value_in_any_place_keeps_the_account(kind, data):
    items = [item for item, _ in data.draw(st.lists(FORMATS[kind], min_size=1, max_size=3))]
    for _ in range(data.draw(st.integers(1, 3))):
        items[0] = altered(data, items[0])
    with tempfile.TemporaryDirectory() as folder:
        path = written(folder, json.dumps(items).encode())
        for parser in PARSERS:
            result = read_files([source_of(path, parser.format)])
            assert result.tally["seen"] >= 1
        item = items[0]
        if kind == "claude" and isinstance(item, dict) and isinstance(item.get("chat_messages"), list):
            alone = read_files([source_of(written(folder, json.dumps([item]).encode()), kind)])
            assert alone.tally["messages_seen"] == len(item["chat_messages"])


@many
@given(st.data())
def test_a_broken_line_costs_itself(data):
    kind = data.draw(st.sampled_from(sorted(FORMATS)))
    lines = [json.dumps(item) for item, _ in data.draw(st.lists(FORMATS[kind], min_size=2, max_size=8))]
    broken = data.draw(st.integers(0, len(lines) - 1))
    line = lines[broken]
    lines[broken] = data.draw(
        st.sampled_from(["null", "// x", "text", '{"a": ', "}", line[: len(line) // 2]])
    )
    assume(lines[broken])
    with tempfile.TemporaryDirectory() as folder:
        result = read_files([source_of(written(folder, "\n".join(lines).encode()), kind)])
    assert (result.tally["seen"], result.tally["failed"]) == (len(lines), 1)


@many
@given(st.data())
def test_a_mangled_zip_is_read_in_part_or_refused_in_words(data):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "export.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for number, kind in enumerate(sorted(FORMATS)):
                item, _ = data.draw(FORMATS[kind])
                packing = data.draw(
                    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
                )
                archive.writestr(f"{number}.json", json.dumps([item]), packing)
        path.write_bytes(path.read_bytes()[:4] + mangled(data, path.read_bytes()[4:]))
        try:
            found = discover([path])
        except VatraError as error:
            assert "export.zip" in str(error)  # noqa: PT017 (both ways out are right)
        else:
            for file in found.files:
                read_files([file])
