"""Export files as units of work for the parse stage."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import PurePath
from types import MappingProxyType

from schemas.manifest import SourceFile
from schemas.parts import Part
from schemas.settings import ParseSettings
from schemas.settings.rules import LANGUAGES
from schemas.settings.sources import Source
from storage.execution import advance
from storage.stages import Given, Unit
from tasks.parsers import parse_files
from tasks.parsers.declared import parse_declared
from tasks.signals.language import UNDETERMINED, detect_languages

#: Files below this size share units, sixteen per source by their digest: a new file disturbs one of them.
SMALL_FILE = 8 << 20
NONE: Mapping[str, Source] = MappingProxyType({})


@dataclass(frozen=True)
class Files:
    """The files of one unit, all of one source; how the source is to be read, where a person declared it."""

    files: tuple[SourceFile, ...]
    source: Source | None = None


def parse_unit(given: Files, settings: ParseSettings) -> Iterator[Part]:
    """The parse stage's function: the files of one unit, with progress by bytes."""
    total = max(1, sum(map(_size, given.files)))

    def on_bytes(amount: int) -> None:
        advance(amount / total)

    with _collector_paused():
        if given.source is None:
            yield from parse_files(given.files, settings, on_bytes)
        else:
            yield from parse_declared(given.files, given.source, settings, on_bytes, language_of)


def language_of(texts: Sequence[str]) -> str:
    """The language of a conversation, among all that can be told apart; `und` when it says too little."""
    (language,), _ = detect_languages(["\n".join(texts)], [0], LANGUAGES)
    return language if language in LANGUAGES else UNDETERMINED


@contextmanager
def _collector_paused() -> Iterator[None]:
    """JSON makes millions of objects and no cycles: looking for some costs 12% of parse (measured)."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def export_units(files: Sequence[SourceFile], sources: Mapping[str, Source] = NONE) -> list[Unit]:
    """Units in an order that depends on the files' contents, and on how their sources are declared, only."""
    groups: dict[tuple[str, str, str], list[SourceFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (file.digest, file.label)):
        bucket = file.digest if file.size >= SMALL_FILE else file.digest[0]
        if file.declared is not None and sources[file.declared].limit is not None:
            bucket = ""  # whoever counts must see all
        groups[file.declared or "", file.source, bucket].append(file)
    units: list[Unit] = []
    for (declared, _, _), group in sorted(groups.items()):
        source = sources[declared] if declared else None
        if source is not None and source.limit is not None:
            group = [file for file in files if file.declared == declared]  # in the order of the paths
        units += [_unit(piece, source) for piece in _pieces(group)]
    return units


def _pieces(group: list[SourceFile]) -> Iterator[list[SourceFile]]:
    """The files that are read together, and each span of a large file by itself."""
    whole = [file for file in group if not file.spans]
    if whole:
        yield whole
    for file in group:
        for span in file.spans:
            yield [file.model_copy(update={"spans": (span,)})]


def _unit(files: list[SourceFile], source: Source | None) -> Unit:
    key = tuple(file_key(file, source) for file in files)
    return Unit(key, Given(Files(tuple(files), source)), sum(map(_size, files)))


def file_key(file: SourceFile, source: Source | None = None) -> str:
    """What a fingerprint says of a file: its content, and how it is read."""
    key = f"{file.digest} {file.format} {file.encoding}"
    if source is None:
        return key
    # The name of a file may be a column (@file) of what a mapping reads.
    stem = f" {PurePath(file.member or file.path).name.split('.')[0]}" if source.is_mapped else ""
    told_apart = f" {metadata.version('py3langid')}" if source.filters.languages else ""
    pieces = "".join(f" {span.start}-{span.stop}" for span in file.spans)
    return f"{key} {file.declared} {source.reading_digest()}{told_apart}{pieces}{stem}"


def file_keys(files: Sequence[SourceFile], sources: Mapping[str, Source]) -> list[str]:
    """What a fingerprint says of all files: in no order, but of sources with a limit, which take the first ones."""
    keys = []
    for number, file in enumerate(files):
        source = sources[file.declared] if file.declared else None
        order = f" {number}" if source is not None and source.limit is not None else ""
        keys.append(file_key(file, source) + order)
    return sorted(keys)


def _size(file: SourceFile) -> int:
    return sum(span.stop - span.start for span in file.spans) or file.size
