"""The files of a declared source: those that its paths name, each with its kind, told by content, then by name."""

from __future__ import annotations

import re
import stat
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath

from schemas.errors import InputError, UsageError, VatraError
from schemas.manifest import DECLARED, SourceFile
from schemas.settings.sources import Source
from tasks.parsers.declared.bytes import examine_unpacked, unpacked
from tasks.parsers.declared.parquet import MAGIC, parquet_columns
from tasks.parsers.declared.spans import spans_of
from tasks.parsers.discovery import Discovery, Skipped, discover, member_reason
from tasks.parsers.sniffing import is_zip
from tasks.parsers.sources import opened_zip
from tasks.parsers.walking import files_below, kind_of, natural, shown

_ENDINGS = {
    "csv": "csv", "tsv": "tsv", "tab": "tsv", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet",
    "txt": "text", "text": "text", "md": "text", "xml": "xml",
}  # fmt: skip
#: What lies beside data and is none, when a whole folder is named.
_BESIDE = re.compile(r"[._].*|(readme|licen[cs]e|notice|changelog|dataset_infos?)([._-].*)?", re.IGNORECASE)
_GLOB = re.compile(r"[*?\[]")
_LOOKED_AT = 4096


def find_declared(
    name: str, source: Source, paths: Sequence[Path], on_bytes: Callable[[int], None]
) -> Discovery:
    """The files of one source, in the order of its paths, within a folder by name; and what was passed over.

    Raises UsageError for a path that names nothing, InputError for a file that cannot be read: one unreadable shard
    would otherwise be a gap that nobody sees.
    """
    search = _Search(name, source, on_bytes)
    for path in paths:
        for found in _named(name, path):
            search.given(found)
    if not search.files:
        reasons = "; ".join(f"{each.label}: {each.reason}" for each in search.skipped[:5])
        raise InputError(
            "no file of data was found" + (f" (skipped {reasons})" if reasons else ""),
            where=f"source {name}, {', '.join(map(str, paths))}",
            fix="Name the files, or a glob such as folder/*.json; read.kind says what they are.",
        )
    return Discovery(tuple(search.files), tuple(search.skipped))


def _named(name: str, path: Path) -> list[Path]:
    if path.exists() or not _GLOB.search(str(path)):
        kind_of(path)
        return [path]
    below = Path(path.anchor or ".")
    pattern = str(path.relative_to(path.anchor)) if path.anchor else str(path)
    try:
        found = sorted(below.glob(pattern), key=lambda each: natural(str(each)))
    except (ValueError, NotImplementedError) as error:
        fix = "** stands alone between two slashes, as in folder/**/*.jsonl."
        raise UsageError(f"no pattern for files: {error}", where=f"source {name}, {path}", fix=fix) from None
    files = [each for each in found if each.is_file() and not _BESIDE.fullmatch(each.name)]
    if not files:
        raise UsageError("no file is named so", where=f"source {name}, {path}", fix="Check `path`.")
    return files


class _Search:
    """One run of `find_declared`."""

    def __init__(self, name: str, source: Source, on_bytes: Callable[[int], None]) -> None:
        self.files: list[SourceFile] = []
        self.skipped: list[Skipped] = []
        self._name, self._source, self._on_bytes = name, source, on_bytes
        self._seen: set[str] = set()

    def given(self, path: Path) -> None:
        """Look at a path that the source names."""
        if not self._source.is_mapped:
            self._chats(path)
        elif stat.S_ISDIR(kind_of(path)):
            for file in files_below(path, self._skip):
                inner = str(file.relative_to(path))
                if _BESIDE.fullmatch(file.name):
                    self._skip(inner, "not data, by its name")
                elif file.is_dir():
                    self._skip(inner, "a link to a folder, which is not followed")
                elif self._kind(file.name) is None and self._source.read.kind == "auto":
                    self._skip(inner, "its name says no kind of data: say read.kind")
                else:
                    self._take(file, None)
        elif is_zip(_start(path, None)):
            self._zip(path)
        else:
            self._take(path, None)

    def _chats(self, path: Path) -> None:
        """Files without a mapping: chats, found out by content as `vatra build PATH` does."""
        found = discover([path], self._on_bytes)
        self.skipped += found.skipped
        for file in found.files:
            if self._is_new(Path(file.path), file.member):
                self.files.append(file.model_copy(update={"declared": self._name}))

    def _zip(self, path: Path) -> None:
        with opened_zip(path) as archive:
            members = sorted(archive.infolist(), key=lambda info: natural(info.filename))
        for info in members:
            reason = None if info.is_dir() else self._member_reason(info)
            if reason:
                self._skip(f"{path.name}: {info.filename}", reason)
            elif not info.is_dir():
                self._take(path, info.filename)

    def _member_reason(self, info: zipfile.ZipInfo) -> str | None:
        name = PurePath(info.filename).name
        if _BESIDE.fullmatch(name):
            return "not data, by its name"
        if self._kind(name) == "parquet":
            return "Parquet inside a zip: unpack it"
        return member_reason(info)

    def _take(self, path: Path, member: str | None) -> None:
        if not self._is_new(path, member):
            return
        where = f"source {self._name}, {shown(str(path))}" + (f": {member}" if member else "")
        try:
            self.files.append(self._examined(path, member))
        except VatraError as error:
            raise type(error)(error.what, where=where, fix=error.fix) from None

    def _examined(self, path: Path, member: str | None) -> SourceFile:
        start = _start(path, member)
        kind = self._told_kind(path, member, start)
        if kind == "parquet":
            if start[:4] != MAGIC:
                raise InputError(
                    "not a Parquet file", fix="Copy or fetch it again, or name the good ones in `path`."
                )
            parquet_columns(str(path))
        known = examine_unpacked(path, member, self._on_bytes)
        asked = self._source.read.encoding
        file = SourceFile(
            path=str(path.absolute()),
            member=member,
            digest=known.digest,
            checksum=known.checksum,
            size=known.size,
            encoding="binary" if kind == "parquet" else known.encoding if asked == "auto" else asked,
            format=kind,
            source=DECLARED,
            declared=self._name,
        )
        is_packed = member is not None or path.stat().st_size != known.size
        if self._source.limit is not None or is_packed:
            return file
        return file.model_copy(update={"spans": spans_of(file, self._source)})

    def _told_kind(self, path: Path, member: str | None, start: bytes) -> str:
        if not start:
            raise InputError("the file is empty", fix="Copy it again, or leave it out of `path`.")
        asked = self._source.read.kind
        if asked != "auto":
            return asked
        if start[:4] == MAGIC:
            return "parquet"
        known = self._kind(PurePath(member or path).name)
        if known in (None, "json", "jsonl", "parquet"):
            first = start.lstrip(b"\xef\xbb\xbf \t\r\n")[:5]
            if known == "parquet":
                return known
            if first[:1] in (b"{", b"["):
                # Of json it is found out when it is read whether it is lines or a document.
                return "jsonl" if known == "jsonl" and first[:1] == b"{" else "json"
            if first == b"<?xml":
                return "xml"
        if known is None:
            raise InputError(
                "neither content nor name say what kind of data this is",
                fix="Say it: read: {kind: text} (or csv, tsv, jsonl, json, xml).",
            )
        return known

    @staticmethod
    def _kind(name: str) -> str | None:
        return _ENDINGS.get(name.lower().removesuffix(".gz").rpartition(".")[2])

    def _is_new(self, path: Path, member: str | None) -> bool:
        key = f"{path.resolve()}\0{member}"
        if key in self._seen:
            self._skip(path.name, "given twice")
            return False
        self._seen.add(key)
        return True

    def _skip(self, label: str, reason: str) -> None:
        self.skipped.append(Skipped(f"{self._name}: {shown(label)}", reason))


def _start(path: Path, member: str | None) -> bytes:
    """The first bytes, packed as they are for a zip, else unpacked."""
    start = b""
    with unpacked(path, member) as stream:
        while len(start) < _LOOKED_AT and (data := stream.read(_LOOKED_AT - len(start))):
            start += data
    return start
