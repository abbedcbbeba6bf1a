"""The items of one chat file, and which of them are older copies of another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice

from schemas.errors import InputError
from schemas.manifest import SourceFile
from tasks.parsers.contract import Parser
from tasks.parsers.sources import HashingStream, opened
from tasks.parsers.stream import Broken, ItemReader
from tasks.parsers.window import CHUNK, TextWindow

Place = Callable[[], str]

#: Whether a file's items are messages of one conversation is decided from so many.
_SAMPLE = 20
#: No id is longer (bytes); one that two chunks share must not be missed.
_LONGEST_ID = 400
_WIDE = ("utf-16", "utf-32")


def items_of(
    source: SourceFile, parser: Parser, on_bytes: Callable[[int], None] | None = None
) -> Iterator[tuple[object | Broken, Place]]:
    """The items of a file, each with what names its place until the next is asked for. Raises InputError."""
    with opened(source.path, source.member) as file:
        stream = HashingStream(file)
        window = TextWindow(stream, source.encoding, on_bytes=on_bytes)
        reader = ItemReader(window, lambda item: parser.matches([item]))
        try:
            yield from (
                _gathered(reader, parser) if parser.broad else ((item, reader.place) for item in reader)
            )
        except UnicodeDecodeError:
            raise _changed(source) from None
        # Behind the last item nothing is needed, but the file must be what its digest says, to the last byte.
        while rest := stream.read(CHUNK):
            if on_bytes:
                on_bytes(len(rest))
    if stream.digest() != source.digest:
        raise _changed(source)


def older_copies(source: SourceFile, parser: Parser) -> set[int]:
    """The ordinals of items that the file holds in a newer copy, too (of equally new ones the first counts).

    A pass of its own over the file, since a part that was given out cannot be called back when a newer copy comes. The
    pass is left out for formats without ids, and when a look at the bytes shows that no id comes twice (should an item
    name itself by another key than the pattern's, its first copy is kept).
    """
    if not parser.has_ids or (parser.id_pattern and _all_differ(source, parser.id_pattern)):
        return set()
    newest: dict[str, tuple[int, int]] = {}
    older: set[int] = set()
    for ordinal, (item, _) in enumerate(items_of(source, parser)):
        identity = None if isinstance(item, Broken) else parser.identify(item)
        if identity is None:
            continue
        native_id, updated = identity
        best = newest.setdefault(native_id, (updated, ordinal))
        if best[1] == ordinal:
            continue
        older.add(best[1] if updated > best[0] else ordinal)
        if updated > best[0]:
            newest[native_id] = (updated, ordinal)
    return older


def _all_differ(source: SourceFile, id_pattern: bytes) -> bool:
    """Whether the file holds ids of this pattern, and never one twice. Reads bytes, parses nothing."""
    if source.encoding.startswith(_WIDE):
        return False
    pattern = re.compile(id_pattern)
    found: set[bytes] = set()
    behind = 0  # where the last match ended, counted from the beginning of `data`
    data = b""
    with opened(source.path, source.member) as stream:
        while chunk := stream.read(CHUNK):
            kept = max(behind, len(data) - _LONGEST_ID)
            data, behind = data[kept:] + chunk, 0
            for match in pattern.finditer(data):
                if match[1] in found:
                    return False
                found.add(match[1])
                behind = match.end()
    return bool(found)


def _gathered(reader: ItemReader, parser: Parser) -> Iterator[tuple[object | Broken, Place]]:
    """The items; or, where they are the messages of one conversation, that conversation as one item."""
    items = iter(reader)
    first = [(item, reader.place()) for item in islice(items, _SAMPLE)]
    if not parser.is_one_conversation([item for item, _ in first if not isinstance(item, Broken)]):
        yield from ((item, partial(str, place)) for item, place in first)
        yield from ((item, reader.place) for item in items)
        return
    messages: list[object] = []
    start = partial(str, first[0][1])
    for item in chain((item for item, _ in first), items):
        if isinstance(item, Broken):
            yield item, start
        else:
            messages.append(item)
    yield messages, start


def _changed(source: SourceFile) -> InputError:
    return InputError("the file changed while it was read", where=source.label, fix="Start again.")
