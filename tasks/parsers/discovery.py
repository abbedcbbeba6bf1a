"""Finding chat files: in files, folders and zips, by their content."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from schemas.errors import InputError, UsageError, VatraError
from schemas.manifest import SourceFile
from tasks.parsers.encodings import is_romanian
from tasks.parsers.markdown.parser import MarkdownCorpusParser
from tasks.parsers.sidecars import NEVER_READ, is_unsafe, name_reason
from tasks.parsers.sniffing import (
    EMPTY_FILE,
    NO_CONVERSATION,
    SNIFFED_BYTES,
    is_zip,
    packed_with,
    sniff,
)
from tasks.parsers.sources import examine, opened, opened_member, opened_zip
from tasks.parsers.walking import files_below, kind_of, natural, shown
from tasks.parsers.window import ByteStream

#: A zip member that unpacks to more than so many bytes, and to more than so many times its packed size, is refused.
BOMB_BYTES = 100_000_000
BOMB_RATIO = 200
_REASONS_SHOWN = 5
_GIVE = (
    "Give a ChatGPT or Claude export, a JSON or JSONL training file, or a Markdown corpus of conversations."
)
_GIVEN_TWICE = "given twice"


@dataclass(frozen=True)
class Skipped:
    """A file that was not taken, and why."""

    label: str
    reason: str


@dataclass(frozen=True)
class Discovery:
    """The chat files, in the order in which they were found, and everything that was passed over."""

    files: tuple[SourceFile, ...]
    skipped: tuple[Skipped, ...]


def discover(paths: Sequence[Path], on_bytes: Callable[[int], None] = lambda count: None) -> Discovery:
    """The chat files in `paths`: files, folders (with everything below them) and zips.

    `on_bytes` is told how many bytes were read since the last time. What lies in a folder or zip and cannot be read is
    passed over with its reason. Raises UsageError for a path that does not exist; InputError for one that was given by
    name and cannot be read, is no chat export, or holds none, and when no chat is found at all.
    """
    search = _Search(on_bytes)
    for path in paths:
        search.given(Path(path))
    if not search.files:
        _nothing_found(paths, search.skipped)
    return Discovery(tuple(search.files), tuple(search.skipped))


class _Search:
    """One run of `discover`."""

    def __init__(self, on_bytes: Callable[[int], None]) -> None:
        self.files: list[SourceFile] = []
        self.skipped: list[Skipped] = []
        self._on_bytes = on_bytes
        self._seen: set[str] = set()
        self._errors: list[VatraError] = []

    def given(self, path: Path) -> None:
        """Look at a path that a person named."""
        mode = kind_of(path)
        taken, skipped = len(self.files), len(self.skipped)
        self._errors.clear()
        if stat.S_ISDIR(mode):
            for file in files_below(path, self._skip):
                self._found(file, str(file.relative_to(path)))
        elif not stat.S_ISREG(mode):
            raise InputError(
                "neither a file nor a folder", where=str(path), fix="Give a file, a folder or a zip."
            )
        elif name_reason(path.name) == NEVER_READ:
            raise InputError(NEVER_READ, where=str(path), fix="Give conversations.json, or the whole zip.")
        else:
            start = _start_of(path)
            if not is_zip(start):
                reason = self._file(path, None, start, path.name)
                if reason and reason != NO_CONVERSATION:
                    _refuse(path, start, reason)
                return
            self._zip(path, path.name)
        if len(self.files) == taken:
            self._found_nothing(path, self.skipped[skipped:])

    def _found_nothing(self, path: Path, skipped: Sequence[Skipped]) -> None:
        """A folder or zip that was named must hold a chat, if only one that was given before, or an empty export."""
        reasons = {each.reason for each in skipped}
        if _GIVEN_TWICE in reasons or reasons == {NO_CONVERSATION}:
            return
        if len(self._errors) == len(skipped) == 1:
            raise self._errors[0]
        _nothing_found([path], skipped)

    def _found(self, path: Path, name: str) -> None:
        """Look at what lies in a folder; `name` is its path from that folder."""
        if shown(name) != name:
            self._skip(name, "its name is not valid UTF-8: rename it")
            return
        try:
            self._look_at(path, name)
        except (InputError, UsageError) as error:  # the latter: it went away just now
            self._damaged(name, error)

    def _look_at(self, path: Path, name: str) -> None:
        if reason := name_reason(name):
            self._skip(name, reason)
            return
        mode = kind_of(path)
        if stat.S_ISDIR(mode):
            self._skip(name, "a link to a folder, which is not followed")
        elif not stat.S_ISREG(mode):
            self._skip(name, "no regular file")
        else:
            start = _start_of(path)
            if is_zip(start):
                self._zip(path, name)
            elif path.suffix.lower() == ".zip":
                self._skip(name, "not a zip file, whatever its name says")
            else:
                self._file(path, None, start, name)

    def _zip(self, path: Path, name: str) -> None:
        with opened_zip(path) as archive:
            members = archive.infolist()
            last = {info.filename: info for info in members}
            for info in sorted(members, key=lambda info: natural(info.filename)):
                if info.filename.endswith("/") and not is_unsafe(info.filename):
                    continue
                label = f"{name}: {info.filename}"
                reason = member_reason(info)
                if reason is None and last[info.filename] is not info:
                    reason = "another member has the same name"
                if reason:
                    self._skip(label, reason)
                    continue
                try:
                    self._member(path, archive, info.filename, label)
                except InputError as error:
                    self._damaged(label, error)

    def _member(self, path: Path, archive: zipfile.ZipFile, member: str, label: str) -> None:
        with opened_member(archive, member, f"{path}: {member}") as stream:
            start = _start(stream)
        if is_zip(start):
            self._skip(label, "a zip inside a zip: unpack it and give it by itself")
        else:
            self._file(path, member, start, label)

    def _file(self, path: Path, member: str | None, start: bytes, label: str) -> str:
        """Take a file whose first bytes are known, or skip it and return the reason."""
        found = sniff(start, whole=len(start) < SNIFFED_BYTES)
        key = f"{path.resolve()}\0{member}"
        if found.parser is None or key in self._seen:
            reason = found.reason or _GIVEN_TWICE
            self._skip(label, reason)
            return reason if found.parser is None else ""
        self._seen.add(key)
        known = examine(path, member, self._on_bytes)
        name, provider = found.parser.format, found.parser.provider
        # A text says little of its encoding; a JSON export in Windows-1250 was never seen.
        is_text = name == MarkdownCorpusParser.format and known.encoding == "cp1252"
        encoding = "cp1250" if is_text and is_romanian(start) else known.encoding
        self.files.append(
            SourceFile(
                path=str(path.absolute()),
                member=member,
                digest=known.digest,
                checksum=known.checksum,
                size=known.size,
                encoding=encoding,
                format=name,
                source=provider,
            )
        )
        return ""

    def _skip(self, label: str, reason: str) -> None:
        self.skipped.append(Skipped(shown(label), reason))

    def _damaged(self, label: str, error: VatraError) -> None:
        """Pass over what cannot be read, beside what can."""
        self._errors.append(error)
        self._skip(label, error.what)


def _start(stream: ByteStream) -> bytes:
    """As much of a file as is looked at; less when it is packed anyway."""
    start = b""
    while len(start) < SNIFFED_BYTES and (chunk := stream.read(SNIFFED_BYTES - len(start))):
        start += chunk
        if is_zip(start) or packed_with(start):
            break
    return start


def _start_of(path: Path) -> bytes:
    with opened(path) as stream:
        return _start(stream)


def member_reason(info: zipfile.ZipInfo) -> str | None:
    """Why a zip member is passed over without being opened; None: have a look."""
    if not info.filename:
        return "a member without a name"
    if is_unsafe(info.filename):
        return "its name points outside of the zip"
    if reason := name_reason(info.filename):
        return reason
    if info.file_size > BOMB_BYTES and info.file_size > BOMB_RATIO * max(info.compress_size, 1):
        times = info.file_size // max(info.compress_size, 1)
        return f"unpacks to {times} times its size ({info.file_size:,} bytes): refused"
    return None


def _refuse(path: Path, start: bytes, reason: str) -> NoReturn:
    """The error for a file that was given by name and is no chat export."""
    where = str(path)
    if reason == EMPTY_FILE:
        raise InputError(EMPTY_FILE, where=where, fix="Download the export again.")
    if packed := packed_with(start):
        raise InputError(
            f"unsupported compression ({packed})", where=where, fix="Unpack it, and give what is inside."
        )
    if path.suffix.lower() == ".zip":
        raise InputError("not a zip file", where=where, fix="Download the export again.")
    fix = _GIVE
    raise InputError(f"not a chat export: {reason}", where=where, fix=fix)


def _nothing_found(paths: Sequence[Path], skipped: Sequence[Skipped]) -> NoReturn:
    where = ", ".join(str(path) for path in paths)
    if skipped and all(each.reason == NO_CONVERSATION for each in skipped):
        raise InputError("holds no conversation", where=where, fix="Give another export.")
    reasons = "; ".join(f"{each.label}: {each.reason}" for each in skipped[:_REASONS_SHOWN])
    more = f"; and {len(skipped) - _REASONS_SHOWN} more" if len(skipped) > _REASONS_SHOWN else ""
    what = f"no chat export found in {where}"
    what += f" (skipped {reasons}{more})" if skipped else " (there is no file in it)"
    raise InputError(what, fix=_GIVE)
