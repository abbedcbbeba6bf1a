"""Rows of a Parquet file, row group by row group; a large file is cut into spans of whole row groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash

from schemas.errors import InputError
from schemas.manifest import SourceFile, Span
from tasks.parsers.sources import CheckedStream, opened_file, readable
from tasks.parsers.stream import Broken
from tasks.parsers.window import CHUNK

MAGIC = b"PAR1"
_BATCH = 1024


def parquet_columns(path: str) -> list[str]:
    """The top-level columns of a Parquet file. Raises InputError when its footer cannot be read."""
    with _file(path) as file:
        return list(file.schema_arrow.names)


def parquet_records(
    source: SourceFile, columns: Sequence[str] | None, span: Span | None, on_bytes: Callable[[int], None]
) -> Iterator[tuple[Any, Callable[[], str]]]:
    """The rows, of all row groups or those within the span, and the number of each in the file, from 0.

    Raises InputError when a row group is damaged or the file changed since it was planned.
    """
    start, stop = (span.start, span.stop) if span else (0, source.size)
    if _checksum(source.path, start, stop) != (span.checksum if span else source.checksum):
        raise InputError("the file changed while it was read", where=source.label, fix="Start again.")
    with _file(source.path) as file:
        wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        row = 0
        for number in range(file.num_row_groups):
            begins, ends = _extent(file, number)
            rows = file.metadata.row_group(number).num_rows
            if start <= begins < stop:
                yield from _group(file, number, wanted, row)
                on_bytes(ends - begins)
            row += rows


def _group(
    file: Any, number: int, columns: list[str] | None, row: int
) -> Iterator[tuple[Any, Callable[[], str]]]:
    for batch in file.iter_batches(
        batch_size=_BATCH, row_groups=[number], columns=columns, use_threads=False
    ):
        for record in _records(batch):
            place = partial("row {}".format, row)
            yield (Broken(place(), record) if isinstance(record, str) else record), place
            row += 1


def _records(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | str]:
    """The rows; for one that holds what no Python value can say, why. The others of the batch are none the worse."""
    rows: list[dict[str, Any]] | None
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError, KeyError):
        rows = None  # row by row it comes out which, and why
    if rows is not None:
        yield from rows
        return
    for number in range(batch.num_rows):
        yield _record(batch.slice(number, 1))


def _record(row: pa.RecordBatch) -> dict[str, Any] | str:
    record: dict[str, Any] = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            record[name] = column[0].as_py()
        except UnicodeDecodeError:
            return f"a text that is not UTF-8 in the column {name}"
        except (ValueError, OverflowError):
            return f"a value beyond what can be said in the column {name}"
        except KeyError:  # what the library of time zones raises
            return f"a time in an unknown zone in the column {name}"
    return record


def parquet_spans(path: Path, size: int) -> tuple[Span, ...]:
    """Spans of whole row groups, each of at least `size` bytes but the last; one span only: none at all."""
    with _file(str(path)) as file:
        extents = [_extent(file, number) for number in range(file.num_row_groups)]
    borders: list[tuple[int, int]] = []
    for begins, ends in extents:
        if borders and borders[-1][1] - borders[-1][0] < size and borders[-1][1] <= begins:
            borders[-1] = (borders[-1][0], ends)
        else:
            borders.append((begins, ends))
    if len(borders) < 2:
        return ()
    return tuple(Span(start=a, stop=b, checksum=_checksum(str(path), a, b)) for a, b in borders)


def _extent(file: Any, number: int) -> tuple[int, int]:
    """Where a row group's bytes begin and end."""
    group = file.metadata.row_group(number)
    begins, ends = [], []
    for place in range(group.num_columns):
        column = group.column(place)
        start = min(filter(None, (column.dictionary_page_offset, column.data_page_offset)))
        begins.append(start)
        ends.append(start + column.total_compressed_size)
    return min(begins), max(ends)


def _checksum(path: str, start: int, stop: int) -> str:
    hasher = xxhash.xxh3_128()
    with opened_file(path) as file, readable(path):
        file.seek(start)
        stream, left = CheckedStream(file, path), stop - start
        while left and (data := stream.read(min(CHUNK, left))):
            hasher.update(data)
            left -= len(data)
    return hasher.hexdigest()


@contextmanager
def _file(path: str) -> Iterator[Any]:
    import pyarrow.parquet as pq

    fix = "Copy or fetch it again, or leave it out: name the good ones in `path`."
    with opened_file(path) as opened:
        try:
            yield pq.ParquetFile(opened)
        except (pa.ArrowException, OSError) as error:
            what = str(error).split("\n")[0][:120]
            raise InputError(f"not a Parquet file, or a damaged one: {what}", where=path, fix=fix) from None
