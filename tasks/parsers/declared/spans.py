"""Large files in pieces that are read by themselves, so that every core has one: row groups, or whole lines."""

from __future__ import annotations

from pathlib import Path

import xxhash

from schemas.manifest import SourceFile, Span
from schemas.settings.sources import Source
from tasks.parsers.declared.parquet import parquet_spans
from tasks.parsers.encodings import WIDE
from tasks.parsers.sources import opened
from tasks.parsers.window import CHUNK

#: A piece has about so many bytes of the file.
SPAN_BYTES = 64 << 20


def spans_of(file: SourceFile, source: Source, size: int = SPAN_BYTES) -> tuple[Span, ...]:
    """The pieces of a file, none for a small one. The borders depend on its bytes only.

    Lines are told apart by their ends, so only what is said to be lines (by its name or `read.kind`) is cut. Records
    that are grouped are not: a group straddles no border.
    """
    records = source.mapping or source.narrative
    if file.size < 2 * size or records is None or records.group is not None:
        return ()
    if file.format == "parquet":
        return parquet_spans(Path(file.path), size)
    if file.format == "jsonl" and not file.encoding.startswith(WIDE):
        return _line_spans(file, size)
    return ()


def _line_spans(file: SourceFile, size: int) -> tuple[Span, ...]:
    """Pieces that end behind a line's end."""
    spans: list[Span] = []
    start = place = 0
    hasher = xxhash.xxh3_128()
    with opened(file.path) as stream:
        while chunk := stream.read(CHUNK):
            begins = 0
            if (
                place + len(chunk) - start >= size
                and (end := chunk.find(b"\n", max(0, start + size - place))) >= 0
            ):
                begins = end + 1
                hasher.update(chunk[:begins])
                spans.append(Span(start=start, stop=place + begins, checksum=hasher.hexdigest()))
                start, hasher = place + begins, xxhash.xxh3_128()
            hasher.update(chunk[begins:])
            place += len(chunk)
    if place > start:
        spans.append(Span(start=start, stop=place, checksum=hasher.hexdigest()))
    return tuple(spans) if len(spans) > 1 else ()
