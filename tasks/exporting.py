"""Export: the corpus in the forms that other trainers read. The export is written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.errors import StoreError, UsageError
from schemas.manifest import BuildRecord
from schemas.tables import SPLITS
from storage.datasets import Dataset
from tasks.corpus_shards import mark_first, phase_of
from tasks.parquet_export import write_parquet
from tasks.shaping import SHAPES, Shape

#: jsonl and json are pairs; the others but the last are shapes in JSONL too; parquet is a folder.
FORMATS = (*SHAPES, "parquet")
_ANOTHER = "Choose another name with --out."


@dataclass(frozen=True)
class Exported:
    """How many records were written, and what the shape could not say, by reason.

    Of Parquet also the distinct examples, and the rows of each phase that has a folder beside `data/`.
    """

    rows: int
    left_out: dict[str, int] = field(default_factory=dict)
    examples: int | None = None
    phases: dict[int, int] = field(default_factory=dict)


def export_corpus(
    corpus: Dataset,
    form: str,
    out: Path,
    splits: Sequence[str] = SPLITS,
    overwrite: bool = False,
    *,
    phase: int | None = None,
    record: BuildRecord | None = None,
) -> Exported:
    """Write the chosen splits of a corpus to `out`.

    jsonl and json hold the text LoRA guide's pairs {instruction, response, conversation_id}; messages, openai,
    sharegpt, alpaca and trl are JSONL in these shapes (tasks/shaping). An example that serves in several phases is
    written once, unless one `phase` is asked for. parquet is a folder with a dataset card that tells of the build of
    `record` (tasks/parquet_export.py).
    Raises UsageError when something stands at `out` already, unless it is an ordinary file and `overwrite` is asked
    for, or when the corpus has no such phase; StoreError when `out` cannot be written, or the corpus is damaged.
    """
    _check_target(out, form, overwrite)
    if phase is not None:
        _check_phase(corpus, phase)
    temporary = out.with_name(f".{out.name[:100]}.{os.getpid()}.part")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if form == "parquet":
            made = write_parquet(corpus, temporary, splits, phase, record)
            done = Exported(made.rows, examples=made.examples, phases=made.phases)
        else:
            done = _write_lines(corpus, temporary, splits, form, phase)
        _put(temporary, out, overwrite)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "not possible"
        raise StoreError(f"cannot write the export: {reason.lower()}", where=str(out)) from None
    finally:
        _discard(temporary)
    return done


def _check_phase(corpus: Dataset, phase: int) -> None:
    phases = sorted({phase_of(corpus, split, file) for split in SPLITS for file in corpus.files(split)})
    if phase not in phases:
        raise UsageError(
            f"the corpus has no phase {phase}",
            where="--phase",
            fix=f"It has: {', '.join(map(str, phases)) or 'none'}.",
        )


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


def _rows(
    corpus: Dataset, splits: Sequence[str], shape: Shape, phase: int | None, left_out: Counter[str]
) -> Iterator[dict[str, Any]]:
    wanted, start = _wanted(corpus, splits, phase), 0
    for split in splits:
        for part in corpus.scan(split, ["conversation_id", "messages"]):
            mask = wanted[start : start + part.num_rows]
            start += part.num_rows
            for batch in part.filter(mask).to_batches(max_chunksize=1_024):
                for row in batch.to_pylist():
                    yield from shape(row["messages"], row["conversation_id"], left_out)


def _wanted(corpus: Dataset, splits: Sequence[str], phase: int | None) -> NDArray[np.bool_]:
    """For each row of all parts in order: whether it is of the phase, or without one, its example's first."""
    if phase is not None:
        phases = [part["phase"].to_numpy() for split in splits for part in corpus.scan(split, ["phase"])]
        return np.asarray(np.concatenate(phases) == phase if phases else [], bool)
    return mark_first(corpus, ((split, file) for split in splits for file in corpus.files(split)))


def _write_lines(
    corpus: Dataset, path: Path, splits: Sequence[str], form: str, phase: int | None
) -> Exported:
    opening, between, closing = ("[\n", ",\n", "\n]\n") if form == "json" else ("", "\n", "\n")
    rows = 0
    left_out: Counter[str] = Counter()
    with path.open("w", encoding="utf-8") as sink:
        sink.write(opening)
        for row in _rows(corpus, splits, SHAPES[form], phase, left_out):
            sink.write((between if rows else "") + json.dumps(row, ensure_ascii=False))
            rows += 1
        sink.write(closing if rows or form == "json" else "")
        sink.flush()
        os.fsync(sink.fileno())
    return Exported(rows, dict(sorted(left_out.items())))


def _discard(path: Path) -> None:
    """Whatever is left of an export that was not finished (nothing, after one that was)."""
    with suppress(OSError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
