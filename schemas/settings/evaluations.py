"""Evaluation prompts: what no example may say, read from files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field

from schemas.errors import SettingsError
from schemas.files import NOT_REGULAR, read_regular
from schemas.settings.model import Settings

#: Where an object keeps its prompt; the first that is there counts.
_KEYS = ("prompt", "question", "instruction", "text", "input")
_FIX = (
    "A .txt file has one prompt on each line; a .jsonl or .json file has texts, or objects with prompt, question, "
    "instruction, text, input or messages."
)


class EvaluationSet(Settings):
    """The prompts of one file, by content: a build must not change under it."""

    name: str = Field(description="The file's name, without folders.")
    prompts: tuple[str, ...] = Field(description="Its prompts, in their order.")


def read_evaluation(path: Path) -> EvaluationSet:
    """The prompts of a .txt, .jsonl or .json file; of a conversation each user turn. Raises SettingsError."""
    try:
        text = read_regular(path).decode("utf-8-sig")
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path that no file can have
        reason = NOT_REGULAR if NOT_REGULAR in str(error) else type(error).__name__
        raise SettingsError(
            f"cannot read the evaluation prompts: {reason}", where=str(path), fix=_FIX
        ) from None
    prompts = tuple(filter(None, (_repaired(prompt).strip() for prompt in _prompts(path, text))))
    if not prompts:
        raise SettingsError("there is no evaluation prompt in the file", where=str(path), fix=_FIX)
    return EvaluationSet(name=_repaired(path.name), prompts=prompts)


def _repaired(text: str) -> str:
    """Without NULs and lone surrogates, as messages are when they are parsed: else a copy would not be found."""
    return text.replace("\0", "").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _prompts(path: Path, text: str) -> Iterator[str]:
    if path.suffix == ".txt":
        yield from text.splitlines()
    elif path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                where = f"{path}, line {number}"
                yield from _of_item(_parse(line, where), where)
    elif path.suffix == ".json":
        items = _parse(text, str(path))
        for number, item in enumerate(items if isinstance(items, list) else [items], 1):
            yield from _of_item(item, f"{path}, item {number}")
    else:
        raise SettingsError(
            "evaluation prompts are read from .txt, .jsonl and .json", where=str(path), fix=_FIX
        )


def _parse(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise SettingsError("the evaluation prompts are not valid JSON", where=where, fix=_FIX) from None


def _of_item(item: Any, where: str) -> Iterator[str]:
    if isinstance(item, str):
        yield item
        return
    found = _of_object(item) if isinstance(item, dict) else None
    if found is None:
        raise SettingsError("no evaluation prompt was found", where=where, fix=_FIX)
    yield from found


def _of_object(item: dict[str, Any]) -> list[str] | None:
    messages = item.get("messages")
    if isinstance(messages, list):
        said = [
            turn.get("content") for turn in messages if isinstance(turn, dict) and turn.get("role") == "user"
        ]
        if said and all(isinstance(content, str) for content in said):
            return [str(content) for content in said]
        return None
    named = [item[key] for key in _KEYS if isinstance(item.get(key), str)]
    return named[:1] or None
