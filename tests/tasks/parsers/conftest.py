from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.settings import ParseSettings
from schemas.tables import SCHEMAS
from tasks.parsers import SourceFile, discover, examine, parse_files


def read_files(files: Any, settings: ParseSettings | None = None) -> SimpleNamespace:
    """All parts of a call, as rows, with what the ledger of every call must fulfil checked on the way."""
    parts = list(parse_files(files, settings or ParseSettings()))
    conversations, messages = [], []
    for part in parts:
        for name, table in part.tables.items():
            assert table.schema.equals(SCHEMAS[name])
            table.validate(full=True)
        assert ("imports" in part.tables) == (part is parts[-1])
        if "conversations" in part.tables:
            conversations += part.tables["conversations"].to_pylist()
            messages += part.tables["messages"].to_pylist()
    tally, imports = parts[-1].tally, parts[-1].tables["imports"].to_pylist()
    check_ledger(tally, imports, conversations, messages)
    return SimpleNamespace(
        parts=parts, conversations=conversations, messages=messages, tally=tally, imports=imports,
        texts=[(row["role"], row["content"]) for row in messages],
        set_aside={k.removeprefix("message_set_aside:"): v for k, v in tally.items() if k.startswith("message_")},
    )  # fmt: skip


def check_ledger(tally: Any, imports: list[Any], conversations: list[Any], messages: list[Any]) -> None:
    for row in imports:
        kinds = ("kept", "empty", "failed", "duplicate")
        assert row["conversations_seen"] == sum(row[f"conversations_{kind}"] for kind in kinds)
        counted = sum(each["count"] for each in row["messages_parsed"] + row["messages_set_aside"])
        assert row["messages_seen"] == counted
    assert tally["seen"] == tally["kept"] + sum(v for k, v in tally.items() if k.startswith("set_aside:"))
    aside = sum(v for k, v in tally.items() if k.startswith("message_set_aside:"))
    assert tally["messages_seen"] == len(messages) + aside
    assert tally["kept"] == len(conversations)
    held = [row["conversation_id"] for row in conversations for _ in range(row["messages"])]
    assert [row["conversation_id"] for row in messages] == held


@pytest.fixture
def read() -> Callable[..., SimpleNamespace]:
    return read_files


@pytest.fixture
def parse(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Write a value (as JSON), a text or bytes to a file, find it, and read it."""

    def run(
        content: Any, settings: ParseSettings | None = None, name: str = "export.json"
    ) -> SimpleNamespace:
        path = tmp_path / name
        if not isinstance(content, (str, bytes)):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_files(discover([path]).files, settings)

    return run


@pytest.fixture
def source() -> Callable[..., SourceFile]:
    """A source file without discovery, for files that discovery would refuse."""

    def make(path: Path, kind: str = "chatgpt") -> SourceFile:
        known = examine(path)
        return SourceFile(
            path=str(path),
            member=None,
            digest=known.digest,
            checksum=known.checksum,
            size=known.size,
            encoding=known.encoding,
            format=kind,
            source=kind,
        )

    return make


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real sample files, which is no part of the project."""
    given = os.environ.get("VATRA_SHARED")
    folder = Path(given) if given else Path(__file__).resolve().parents[4] / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no shared folder with real exports (set VATRA_SHARED)")
    return folder


def _message(role: str, text: Any, **more: Any) -> dict[str, Any]:
    content = text if isinstance(text, dict) or text is None else {"content_type": "text", "parts": [text]}
    return {"author": {"role": role}, "content": content, "recipient": "all", "metadata": {}, **more}


@pytest.fixture
def message() -> Callable[..., dict[str, Any]]:
    """A ChatGPT message: role, text (or whole content), and any other fields."""
    return _message


@pytest.fixture
def chat() -> Callable[..., dict[str, Any]]:
    """A ChatGPT conversation whose messages follow one another; None makes a node without message."""

    def make(
        *messages: dict[str, Any] | None, name: str = "c1", updated: Any = 2.0, **more: Any
    ) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        before = None
        for number, message in enumerate(messages):
            node = f"n{number}"
            mapping[node] = {"id": node, "message": message, "parent": before, "children": []}
            if message is not None:
                message.setdefault("id", node)
            if before:
                mapping[before]["children"].append(node)
            before = node
        fields = {"title": "t", "create_time": 1.0, "update_time": updated, "conversation_id": name}
        return {**fields, "mapping": mapping, "current_node": before, **more}

    return make


#: Small exports, as text.
CLAUDE = json.dumps([{"uuid": "c", "chat_messages": [{"sender": "human", "text": "hello"}]}])
CHATGPT = json.dumps([{"mapping": {}}])


def reasons(found: Any) -> dict[str, str]:
    """What a discovery passed over, and why."""
    return {each.label: each.reason for each in found.skipped}


def zipped(path: Path, members: dict[str, Any]) -> Path:
    """A zip with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path
