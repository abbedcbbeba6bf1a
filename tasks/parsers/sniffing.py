"""What a file is, from its first bytes; names and extensions do not count."""

from __future__ import annotations

import io
from dataclasses import dataclass
from itertools import islice

from tasks.parsers.contract import Parser
from tasks.parsers.encodings import marked_encoding
from tasks.parsers.markdown.parser import MarkdownCorpusParser, is_corpus
from tasks.parsers.registry import parser_for, recognise
from tasks.parsers.shapes import LINES, items_in, lines_of
from tasks.parsers.sketch import sketch
from tasks.parsers.stream import Broken, ItemReader
from tasks.parsers.window import TextWindow

#: So many bytes are looked at, and so many items.
SNIFFED_BYTES = 1 << 20
_ITEMS = 20
_PACKED = (
    (b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!", "rar"),
)  # fmt: skip
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_COPILOT = ("conversation,time,author,message", '"conversation","time","author","message"')

EMPTY_FILE = "empty file"
NOT_JSON = "not JSON"
NO_CONVERSATION = "holds no conversation"


@dataclass(frozen=True)
class Sniffed:
    """The parser of a chat file, or the reason why it is none."""

    parser: Parser | None = None
    reason: str = ""


def is_zip(start: bytes) -> bool:
    """Whether a file that begins so is a zip."""
    return start.startswith(_ZIP)


def packed_with(start: bytes) -> str | None:
    """The compression, other than zip, of a file that begins so."""
    return next((name for magic, name in _PACKED if start.startswith(magic)), None)


def sniff(start: bytes, whole: bool) -> Sniffed:
    """What a file that begins with `start` is; `whole` when that is all of it."""
    if not start:
        return Sniffed(reason=EMPTY_FILE)
    packed = packed_with(start)
    if packed:
        return Sniffed(reason=f"unsupported compression ({packed}): unpack it first")
    text = _text(start)
    first = text.lstrip("\ufeff \t\r\n")[:1]
    sample, broken = _sample(text) if first in ("[", "{") else ([], "")
    found = recognise(sample) if sample else None
    if found is None:
        found = recognise(_items_of_lines(text, whole))
    if found is None and first not in ("[", "{"):
        other = _other_kind(text, first, whole)
        if other == NOT_JSON and is_corpus(text):
            return Sniffed(parser_for(MarkdownCorpusParser.format))
        return Sniffed(reason=other)
    if found is None and not sample and whole and not broken:
        return Sniffed(reason=NO_CONVERSATION)
    if isinstance(found, str):
        return Sniffed(reason=f"recognised as {found}, which is not read yet")
    # In a piece of a file the last item is always broken: that says nothing.
    unknown = (
        f"no chat format that is known ({broken})" if broken and whole else "no chat format that is known"
    )
    return Sniffed(found, "" if found else unknown)


def _text(start: bytes) -> str:
    encoding = marked_encoding(start)
    return start.decode(encoding, "replace") if encoding else start.decode("utf-8", "replace")


def _sample(text: str) -> tuple[list[object], str]:
    """The first items, or what can be made out of the first one; and why the first broken one is broken.

    Only those of the first list that holds anything, and none behind text that is no JSON: what begins with a bracket
    may be a note or a log in which JSON occurs.
    """
    items: list[object] = []
    broken, run = "", None
    window = TextWindow(io.BytesIO(text.encode("utf-8", "replace")), "utf-8")
    reader = ItemReader(window, _is_item)
    for item in reader:
        if run not in (None, reader.run):
            break
        run = reader.run
        if isinstance(item, Broken):
            broken = broken or item.reason
            if item.stray:
                break
        elif item is not None:
            items.append(item)
        if len(items) == _ITEMS:
            break
    if items:
        return items, broken
    begun = sketch(text.lstrip("\ufeff \t\r\n"))
    begun = begun if isinstance(begun, list) else [begun]
    return [item for item in begun if item], broken


def _is_item(value: object) -> bool:
    return recognise([value]) is not None


def _items_of_lines(text: str, whole: bool) -> list[object]:
    """The items of a file of lines that does not begin like one, if it is one, else nothing.

    It is one when a parser (or a format that is known and not read) recognises most of its first lines, each by
    itself; or all of them but the first. A note, a table, a page or a log in which JSON occurs is none.
    """
    told = list(islice(lines_of(text, 0, whole), LINES))
    if whole and told and told[-1][1] is None and told[-1][0][0] in "[{" and not text.endswith("\n"):
        told.pop()  # the file was cut off in it, which says nothing of the others
    lines = [value for _, value in told]
    rest = "" if whole else text[text.rfind("\n") + 1 :]
    if len(lines) < LINES and rest:
        lines.append(sketch(rest.strip()))  # a line of which only the beginning is known
    if len(lines) < 2:
        return []
    values = [items_in(value, _is_item) for value in lines if value is not None]
    known = [items for items in values if recognise(items) is not None]
    if 2 * len(known) > len(lines) or (len(lines) == 2 and known and lines[0] is None):
        return [item for items in known for item in items]
    return []


def _other_kind(text: str, first: str, whole: bool) -> str:
    head = text[:4096].lstrip("\ufeff \t\r\n").lower()
    if not first:
        return EMPTY_FILE if whole else "begins with nothing but white space"
    if head.startswith(("<!doctype", "<html", "<head", "<?xml")):
        if "gemini apps" in text.lower():
            return "recognised as Gemini Takeout, which is not read yet"
        return "an HTML page, not a chat export (a download link that had expired gives such a file)"
    if head.startswith(_COPILOT):
        return "recognised as Microsoft Copilot, which is not read yet"
    return NOT_JSON
