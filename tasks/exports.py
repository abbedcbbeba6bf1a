"""Export files as units of work for the parse stage."""

from __future__ import annotations

import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from schemas.manifest import SourceFile
from schemas.parts import Part
from schemas.settings import ParseSettings
from storage.execution import advance
from storage.stages import Given, Unit
from tasks.parsers import parse_files

#: Files below this size share units, sixteen per source by their digest: a new file disturbs one of them.
SMALL_FILE = 8 << 20


def parse_unit(files: Sequence[SourceFile], settings: ParseSettings) -> Iterator[Part]:
    """The parse stage's function: the files of one unit, all of one source, with progress by bytes."""
    total = max(1, sum(file.size for file in files))
    with _collector_paused():
        yield from parse_files(files, settings, on_bytes=lambda amount: advance(amount / total))


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


def export_units(files: Sequence[SourceFile]) -> list[Unit]:
    """Units in an order that depends on the files' contents only."""
    groups: dict[tuple[str, str], list[SourceFile]] = defaultdict(list)
    for file in sorted(files, key=lambda file: (file.digest, file.label)):
        bucket = file.digest if file.size >= SMALL_FILE else file.digest[0]
        groups[file.source, bucket].append(file)
    return [_unit(group) for _, group in sorted(groups.items())]


def _unit(files: list[SourceFile]) -> Unit:
    key = tuple(f"{file.digest} {file.format} {file.encoding}" for file in files)
    return Unit(key, Given(tuple(files)), sum(file.size for file in files))
