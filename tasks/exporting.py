"""Export: the corpus in the forms that other trainers read. The export is written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from schemas.errors import StoreError, UsageError
from schemas.tables import SPLITS
from storage.datasets import Dataset, verify

FORMATS = ("jsonl", "json", "messages", "parquet")
_ANOTHER = "Choose another name with --out."


def export_corpus(
    corpus: Dataset, form: str, out: Path, splits: Sequence[str] = SPLITS, overwrite: bool = False
) -> int:
    """Write the chosen splits of a corpus to `out`; returns how many rows were written.

    jsonl and json hold the text LoRA guide's pairs {instruction, response, conversation_id}. messages is JSONL of
    {"messages": [{role, content}]}, with `weight: 0` on replies that must not be learned. parquet is a folder of the
    corpus's own shards, `<split>-<number>.parquet`.
    Raises UsageError when something stands at `out` already, unless it is an ordinary file and `overwrite` is asked
    for; StoreError when `out` cannot be written, or the corpus is damaged.
    """
    _check_target(out, form, overwrite)
    temporary = out.with_name(f".{out.name[:100]}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if form == "parquet":
            rows = _copy_shards(corpus, temporary, splits)
        else:
            rows = _write_lines(corpus, temporary, splits, form)
        _put(temporary, out, overwrite)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "not possible"
        raise StoreError(f"cannot write the export: {reason.lower()}", where=str(out)) from None
    finally:
        _discard(temporary)
    return rows


def _check_target(out: Path, form: str, overwrite: bool) -> None:
    """Refuse what must not be replaced, before anything is read. Raises UsageError."""
    if not out.name:
        raise UsageError(
            f"--out needs the name of a {'folder' if form == 'parquet' else 'file'}", where=str(out)
        )
    try:
        kind = out.lstat().st_mode
    except OSError:  # nothing there; or no way there, which the attempt to write will tell
        return
    if stat.S_ISDIR(kind):
        if form != "parquet":
            raise UsageError("the export is a file, and a folder has its name", where=str(out), fix=_ANOTHER)
        if any(out.iterdir()):
            raise UsageError("the folder is not empty", where=str(out), fix=_ANOTHER)
    elif not stat.S_ISREG(kind):
        raise UsageError("what has this name is no ordinary file", where=str(out), fix=_ANOTHER)
    elif form == "parquet" or not overwrite:
        fix = _ANOTHER if form == "parquet" else f"{_ANOTHER[:-1]}, or replace it with --overwrite."
        raise UsageError("a file of this name stands already", where=str(out), fix=fix)


def _put(temporary: Path, out: Path, overwrite: bool) -> None:
    """Give the finished export its name; a name that was taken meanwhile is left alone. Raises OSError."""
    if not overwrite and not temporary.is_dir():  # an empty folder may be replaced, and a full one cannot be
        out.touch(exist_ok=False)
    temporary.replace(out)


def pairs(messages: Sequence[dict[str, Any]], conversation_id: str) -> Iterator[dict[str, str]]:
    """Instruction and response for each reply that is trained on; a reply without a question gives no pair."""
    question: str | None = None
    for message in messages:
        if message["role"] == "user":
            question = message["content"]
        elif message["trainable"] and question is not None:
            yield {
                "instruction": question,
                "response": message["content"],
                "conversation_id": conversation_id,
            }


def _rows(corpus: Dataset, splits: Sequence[str], form: str) -> Iterator[dict[str, Any]]:
    for split in splits:
        for part in corpus.scan(split, ["conversation_id", "messages"]):
            for batch in part.to_batches(max_chunksize=1_024):
                for row in batch.to_pylist():
                    if form == "messages":
                        yield {"messages": [_message(message) for message in row["messages"]]}
                    else:
                        yield from pairs(row["messages"], row["conversation_id"])


def _message(message: dict[str, Any]) -> dict[str, Any]:
    """Role and content; `weight: 0` on a reply that must not be learned (trainers that know messages know it)."""
    plain = {"role": message["role"], "content": message["content"]}
    return plain | ({"weight": 0} if message["role"] == "assistant" and not message["trainable"] else {})


def _write_lines(corpus: Dataset, path: Path, splits: Sequence[str], form: str) -> int:
    opening, between, closing = ("[\n", ",\n", "\n]\n") if form == "json" else ("", "\n", "\n")
    rows = 0
    with path.open("w", encoding="utf-8") as sink:
        sink.write(opening)
        for row in _rows(corpus, splits, form):
            sink.write((between if rows else "") + json.dumps(row, ensure_ascii=False))
            rows += 1
        sink.write(closing if rows or form == "json" else "")
        sink.flush()
        os.fsync(sink.fileno())
    return rows


def _copy_shards(corpus: Dataset, folder: Path, splits: Sequence[str]) -> int:
    folder.mkdir()
    rows = 0
    for split in splits:
        for number, file in enumerate(corpus.files(split)):
            verify(corpus.store, file)
            with (
                corpus.store.open(file.path) as source,
                (folder / f"{split}-{number:05d}.parquet").open("wb") as sink,
            ):
                shutil.copyfileobj(source, sink, 1 << 20)
            rows += file.rows
    return rows


def _discard(path: Path) -> None:
    """Whatever is left of an export that was not finished (nothing, after one that was)."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
