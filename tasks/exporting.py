"""Export: the corpus in the forms that other trainers read. The export is written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from schemas.errors import StoreError
from schemas.tables import SPLITS
from storage.datasets import Dataset

FORMATS = ("jsonl", "json", "messages", "parquet")


def export_corpus(corpus: Dataset, form: str, out: Path, splits: Sequence[str] = SPLITS) -> int:
    """Write the chosen splits of a corpus to `out`; returns how many rows were written.

    jsonl and json hold the text LoRA guide's pairs {instruction, response, conversation_id}. messages is JSONL of
    {"messages": [{role, content}]}, with `weight: 0` on replies that must not be learned. parquet is a folder of the
    corpus's own shards, `<split>-<number>.parquet`.
    Raises StoreError when `out` cannot be written, or stands already as a folder that is not empty.
    """
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if form == "parquet":
            rows = _copy_shards(corpus, temporary, splits)
        else:
            rows = _write_lines(corpus, temporary, splits, form)
        temporary.replace(out)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "not possible"
        raise StoreError(f"cannot write the export: {reason.lower()}", where=str(out)) from None
    finally:
        _discard(temporary)
    return rows


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
