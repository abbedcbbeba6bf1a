"""The items of one chat file, and which of them are older copies of another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, groupby, islice
from operator import itemgetter

from schemas.errors import InputError
from schemas.manifest import SourceFile
from schemas.settings import ParseSettings
from tasks.parsers.contract import Parser, Unparsable
from tasks.parsers.encodings import WIDE
from tasks.parsers.markdown.cutting import CorpusReader
from tasks.parsers.markdown.parser import MarkdownCorpusParser
from tasks.parsers.sources import ChecksumStream, opened
from tasks.parsers.stream import Broken, ItemReader
from tasks.parsers.window import CHUNK, TextWindow

Place = Callable[[], str]

#: Whether a file's items are messages of one conversation is decided from so many.
_SAMPLE = 20
#: No id is longer (bytes); one that two chunks share must not be missed.
_LONGEST_ID = 400


def items_of(
    source: SourceFile, parser: Parser, on_bytes: Callable[[int], None] | None = None
) -> Iterator[tuple[object | Broken, Place]]:
    """The items of a file, each with what names its place until the next is asked for. Raises InputError."""
    with opened(source.path, source.member) as file:
        stream = ChecksumStream(file)
        window = TextWindow(stream, source.encoding, on_bytes=on_bytes)
        reader: ItemReader | CorpusReader = (
            CorpusReader(window)
            if parser.format == MarkdownCorpusParser.format
            else ItemReader(window, lambda item: parser.matches([item]))
        )
        try:
            if parser.broad and isinstance(reader, ItemReader):
                yield from _gathered(reader, parser)
            else:
                yield from ((item, reader.place) for item in reader)
        except UnicodeDecodeError:
            raise _changed(source) from None
        # Behind the last item nothing is needed, but the file must be what was planned, to the last byte.
        while rest := stream.read(CHUNK):
            if on_bytes:
                on_bytes(len(rest))
    if stream.checksum() != source.checksum:
        raise _changed(source)


def older_copies(source: SourceFile, parser: Parser, settings: ParseSettings) -> set[int]:
    """The ordinals of items that the file holds in a newer copy, too (of equally new ones the first counts).

    Copies that say nothing, or cannot be parsed, displace no other. A pass of its own over the file, since a part that
    was given out cannot be called back when a newer copy comes. It is left out for formats without ids, and when a
    look at the bytes shows that every item has an id and no id comes twice.
    """
    if not parser.has_ids or (parser.id_pattern and _all_differ(source, parser)):
        return set()
    newest: dict[str, tuple[int, int]] = {}
    older: set[int] = set()
    for ordinal, (item, _) in enumerate(items_of(source, parser)):
        identity = None if isinstance(item, Broken) else parser.identify(item)
        if identity is None or not _says_something(item, parser, settings):
            continue
        native_id, updated = identity
        best = newest.setdefault(native_id, (updated, ordinal))
        if best[1] == ordinal:
            continue
        older.add(best[1] if updated > best[0] else ordinal)
        if updated > best[0]:
            newest[native_id] = (updated, ordinal)
    return older


def _says_something(item: object, parser: Parser, settings: ParseSettings) -> bool:
    try:
        return parser.parse(item, settings).says_something
    except Unparsable:
        return False


def _all_differ(source: SourceFile, parser: Parser) -> bool:
    """Whether every item of the file has an id of the parser's pattern, and none comes twice.

    Reads bytes, parses nothing: items are counted by the key that each of them has.
    """
    if source.encoding.startswith(WIDE):
        return False
    pattern, id_key, item_key = re.compile(parser.id_pattern), parser.id_key, parser.item_key
    found: set[bytes] = set()
    items = 0
    behind = 0  # where the last match ended, counted from the beginning of `data`
    data = b""
    with opened(source.path, source.member) as stream:
        while chunk := stream.read(CHUNK):
            border = len(item_key) - 1
            items += chunk.count(item_key) + (data[len(data) - border :] + chunk[:border]).count(item_key)
            kept = max(behind, len(data) - _LONGEST_ID)
            data, behind = data[kept:] + chunk, 0
            place = data.find(id_key)
            while place >= 0:
                if match := pattern.match(data, place + len(id_key)):
                    if match[1] in found:
                        return False
                    found.add(match[1])
                    behind = match.end()
                place = data.find(id_key, place + len(id_key))
    return len(found) == items


def _gathered(reader: ItemReader, parser: Parser) -> Iterator[tuple[object | Broken, Place]]:
    """The items; or, where those of a list are the messages of one conversation, that conversation as one item."""
    for _, run in groupby(((reader.run, item) for item in reader), key=itemgetter(0)):
        yield from _one_run((item for _, item in run), reader, parser)


def _one_run(
    items: Iterator[object | Broken], reader: ItemReader, parser: Parser
) -> Iterator[tuple[object | Broken, Place]]:
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
