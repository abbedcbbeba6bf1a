"""The records of a declared file, one after the other, with the place of each: JSON, JSONL, CSV, text, XML, Parquet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import PurePath
from typing import Any
from xml.etree import ElementTree

from schemas.errors import InputError
from schemas.manifest import SourceFile, Span
from schemas.settings.sources import Reading
from tasks.parsers.declared.bytes import checked, decoded, lines_of_stream
from tasks.parsers.declared.delimited import Dialect, delimited_rows
from tasks.parsers.declared.linear import found_in
from tasks.parsers.declared.parquet import parquet_records
from tasks.parsers.declared.paths import getter
from tasks.parsers.stream import Broken, ItemReader
from tasks.parsers.window import ByteStream, TextWindow

#: The name of the file, without folder and endings.
FILE = "@file"
#: A record, or what stands there instead; and what names its place, until the next one is asked for.
Found = tuple[dict[str, Any] | Broken, Callable[[], str]]
_CHAPTER = r"(?i)^\s*(?:(?:chapter|capitolul|part|book|letter|canto)\b.{0,80}|[ivxlc]{1,8}\.?)\s*$"
_LONGEST_TEXT = 64 << 20
_LINES_AT_ONCE = 1000


def records_of(
    file: SourceFile,
    reading: Reading,
    columns: Sequence[str] | None = None,
    span: Span | None = None,
    on_bytes: Callable[[int], None] = lambda count: None,
) -> Iterator[Found]:
    """Every record of a file, or of a span of it. `columns` are those that anybody asks for (None: all).

    Raises InputError when the file cannot be read, or changed since it was planned.
    """
    stem = PurePath(file.member or file.path).name.split(".")[0]
    found: Iterator[Found]
    if file.format == "parquet":
        found = iter(parquet_records(file, columns, span, on_bytes))
    else:
        found = _read(file, reading, span, on_bytes)
    for record, place in found:
        if not isinstance(record, Broken):
            record[FILE] = stem
        yield record, place


def _read(
    file: SourceFile, reading: Reading, span: Span | None, on_bytes: Callable[[int], None]
) -> Iterator[Found]:
    with checked(file, span, on_bytes) as stream:
        try:
            if file.format in ("json", "jsonl"):
                yield from _json(stream, file, reading, span)
            elif file.format in ("csv", "tsv"):
                yield from _csv(stream, file, reading)
            elif file.format == "xml":
                yield from _xml(stream, file, reading)
            else:
                yield from _texts(stream, file, reading)
        except InputError as error:
            raise InputError(error.what, where=error.where or file.label, fix=error.fix) from None


def _json(stream: ByteStream, file: SourceFile, reading: Reading, span: Span | None) -> Iterator[Found]:
    """Elements of an array, lines, or a whole object; `reading.records` says where in an object they stand."""
    window = TextWindow(stream, file.encoding)
    reader = ItemReader(window, wrapped=False, lines=file.format == "jsonl" or None)
    inside = getter(reading.records) if reading.records not in (None, "*") else None
    piece = f" of the piece at byte {span.start}" if span and span.start else ""
    for item in reader:
        if isinstance(item, Broken):
            yield item, partial(str, item.at + piece)
            continue
        place = partial(_within, reader.place, piece) if piece else reader.place
        if reading.records is None or not isinstance(item, dict):
            yield _record(item), place
            continue
        held = inside(item) if inside else item
        held = held if isinstance(held, (dict, list)) else []
        elements: list[Any] = list(held.items()) if isinstance(held, dict) else list(enumerate(held))
        if not elements:
            raise InputError(
                f"read.records names {reading.records!r}, where no records are",
                fix=f"The object holds: {', '.join(map(str, list(item)[:20]))}.",
            )
        for key, element in elements:
            yield {**_record(element), "@key": str(key)}, partial(_within, place, f", {key}")


def _within(place: Callable[[], str], piece: str) -> str:
    return place() + piece


def _record(item: Any) -> dict[str, Any]:
    return item if isinstance(item, dict) else {"value": item}


def _line(number: int) -> str:
    return f"line {number}"


def _csv(stream: ByteStream, file: SourceFile, reading: Reading) -> Iterator[Found]:
    quote = reading.quote if reading.quote is not None else ('"' if file.format == "csv" else "")
    dialect = Dialect(reading.delimiter or ("," if file.format == "csv" else "\t"), quote)
    lines = lines_of_stream(stream, file.encoding)
    return delimited_rows(lines, dialect, reading.columns, reading.header)


def _xml(stream: ByteStream, file: SourceFile, reading: Reading) -> Iterator[Found]:
    """Elements of one tag; children are columns by their tag, attributes by `@` and their name."""
    if reading.element is None:
        raise InputError(
            "read.element is missing", fix="Say which element is a record: read: {kind: xml, element: TAG}."
        )
    number, tags = 0, dict[str, None]()
    parser: Any = ElementTree.XMLPullParser(["end"])
    try:
        while data := stream.read(1 << 16):
            if b"<!ENTITY" in data:
                raise InputError(
                    "declares entities, which are not read", fix="Take the file without its DTD."
                )
            parser.feed(data)
            for _, element in parser.read_events():
                tag = _tag(element)
                tags[tag] = None
                if tag == reading.element:
                    number += 1
                    yield _element(element), partial("element {}".format, number)
                    element.clear()
        parser.close()
    except ElementTree.ParseError as error:
        line = error.position[0]
        yield Broken(_line(line), "not well-formed XML: the rest is not read"), partial(_line, line)
        return
    if not number:
        raise InputError(
            f"holds no element {reading.element!r}", fix=f"It has: {', '.join(list(tags)[:20])}."
        )


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _element(element: ElementTree.Element) -> dict[str, Any]:
    record: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
    record["text"] = "".join(element.itertext()).strip()
    for child in element:
        value: Any = _element(child) if len(child) else "".join(child.itertext()).strip()
        name = _tag(child)
        if name not in record or name == "text":
            record[name] = value
        elif isinstance(record[name], list):
            record[name].append(value)
        else:
            record[name] = [record[name], value]
    return record


def _texts(stream: ByteStream, file: SourceFile, reading: Reading) -> Iterator[Found]:
    pieces: Iterator[tuple[str, str]]
    if reading.separator:
        whole = decoded(stream, file.encoding)
        pieces = ((piece, f"piece {n}") for n, piece in enumerate(whole.split(reading.separator), 1))
    elif reading.begins or reading.split == "chapters":
        pieces = _blocks(lines_of_stream(stream, file.encoding), reading.begins or _CHAPTER)
    elif reading.split == "whole":
        pieces = iter([(decoded(stream, file.encoding), "line 1")])
    else:
        pieces = _paragraphs(lines_of_stream(stream, file.encoding), reading.split == "lines")
    for text, place in pieces:
        text = text.replace("\r\n", "\n").strip("\n").strip("\ufeff")
        if len(text) > _LONGEST_TEXT:
            what = f"longer than {_LONGEST_TEXT >> 20} million characters"
            yield Broken(place, what), partial(str, place)
        elif text.strip():
            yield {"text": text.rstrip()}, partial(str, place)


def _blocks(lines: Iterator[str], begins: str) -> Iterator[tuple[str, str]]:
    """A block begins at every line in which the pattern is found; what stands before the first is one, too."""
    block: list[str] = []
    start = 1
    for number, (line, is_first) in enumerate(_with_found(lines, begins), 1):
        if is_first and block:
            yield "".join(block), f"line {start}"
            block, start = [], number
        block.append(line)
    yield "".join(block), f"line {start}"


def _with_found(lines: Iterator[str], pattern: str) -> Iterator[tuple[str, bool]]:
    """Each line, and whether the pattern is found in it: asked for many at once, which is much cheaper."""
    while some := list(islice(lines, _LINES_AT_ONCE)):
        yield from zip(some, found_in(pattern, [line.rstrip("\r\n") for line in some]), strict=True)


def _paragraphs(lines: Iterator[str], single: bool) -> Iterator[tuple[str, str]]:
    block: list[str] = []
    start = 1
    for number, line in enumerate(lines, 1):
        if single:
            yield line, f"line {number}"
        elif line.strip():
            start = start if block else number
            block.append(line)
        elif block:
            yield "".join(block), f"line {start}"
            block = []
    if block:
        yield "".join(block), f"line {start}"
