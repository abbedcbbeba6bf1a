from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.settings import ParseSettings
from schemas.settings.sources import Source
from tasks.exports import export_units, language_of, parse_unit
from tasks.parsers.declared import check_declared, find_declared
from tests.tasks.parsers.conftest import check_ledger

QA = {"turns": [{"user": "q"}, {"assistant": "a"}]}
NAME = "declared-one"


def read_declared(paths: Sequence[Path], **declared: Any) -> SimpleNamespace:
    """Find, check and parse a source over `paths`, as a build does; the ledger is checked on the way."""
    source = Source.model_validate({"path": [str(path) for path in paths], **declared})
    files = find_declared(NAME, source, paths, lambda count: None).files
    if source.is_mapped:
        check_declared(NAME, source, files, language_of)
    conversations: list[Any] = []
    messages: list[Any] = []
    imports: list[Any] = []
    tally: Counter[str] = Counter()
    for unit in export_units(files, {NAME: source}):
        for part in parse_unit(unit.payload.open(None), ParseSettings()):  # type: ignore[arg-type]
            tally.update(part.tally)
            imports += part.tables["imports"].to_pylist() if "imports" in part.tables else []
            if "conversations" in part.tables:
                conversations += part.tables["conversations"].to_pylist()
                messages += part.tables["messages"].to_pylist()
    whole = [{**row, "conversations_seen": row["conversations_seen"] - _left(row)} for row in imports]
    check_ledger(tally, whole, conversations, messages)
    return SimpleNamespace(
        files=files, conversations=conversations, messages=messages, imports=imports, tally=tally,
        texts=[(row["role"], row["content"]) for row in messages],
        set_aside={k.removeprefix("message_set_aside:"): v for k, v in tally.items() if k.startswith("message_") and v},
    )  # fmt: skip


def _left(row: dict[str, Any]) -> int:
    return sum(each["count"] for each in row["conversations_left_out"])


@pytest.fixture
def run_files() -> Callable[..., SimpleNamespace]:
    return read_declared


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., SimpleNamespace]:
    """Write records as JSON lines, or a text or bytes as they are, and read them as declared."""

    def read(
        content: Any, *, name: str = "data.jsonl", expect: type[Exception] | None = None, **declared: Any
    ) -> Any:
        path = tmp_path / name
        if not isinstance(content, (str, bytes)):
            content = "".join(json.dumps(record) + "\n" for record in content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        if expect is None:
            return read_declared([path], **declared)
        with pytest.raises(expect) as raised:
            read_declared([path], **declared)
        return str(raised.value)

    return read
