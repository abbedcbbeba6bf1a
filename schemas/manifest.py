"""What stands in the store: manifests, part records, build plans. Nothing here knows a clock, a host or a path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

#: The provider of what a mapping reads.
DECLARED = "declared"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableFile(_Record):
    """One Parquet file: `path` is relative to the store, `digest` that of its bytes."""

    path: str
    digest: str
    rows: int
    bytes: int


class PartRecord(_Record):
    """One part: a file for each of its tables, the part's tally, and what its files' names begin with."""

    tables: dict[str, TableFile]
    tally: dict[str, int]
    label: str | None = None


class UnitRecord(_Record):
    """The finished parts of one unit of work, kept so that a rerun need not compute it again."""

    unit: str
    parts: tuple[PartRecord, ...]
    validation: dict[str, Any]


class Manifest(_Record):
    """A dataset that stands. It is put last, so its existence is the publication."""

    stage: str
    version: int
    fingerprint: str
    settings: dict[str, Any]
    libraries: dict[str, str]
    inputs: dict[str, Any]
    parts: tuple[PartRecord, ...]
    summary: dict[str, int]


class Span(_Record):
    """A piece of a large file that is read by itself: bytes from `start` up to `stop`, and their checksum."""

    start: int
    stop: int
    checksum: str


class SourceFile(_Record):
    """A file that holds chats: where it was found, and what it is by content.

    `digest` (BLAKE2b-128), `checksum` (XXH3-128, to see a later edit cheaply) and `size` are of the bytes as
    unpacked, `source` is the provider. `declared` is the name of the source in the settings that the file belongs to;
    `spans` are the pieces of one that is read in several units.
    """

    path: str
    member: str | None
    digest: str
    checksum: str
    size: int
    encoding: str
    format: str
    source: str
    declared: str | None = None
    spans: tuple[Span, ...] = ()

    @property
    def name(self) -> str:
        """The source that conversations are counted under: the declared one, else the provider."""
        return self.declared or self.source

    @property
    def label(self) -> str:
        """Where it is, for people: `conversations.json`, or `chats.zip: conversations-000.json`."""
        name = Path(self.path).name
        return f"{name}: {self.member}" if self.member else name


class BuildRecord(_Record):
    """A build's plan: inputs, settings, and the fingerprint that each stage will have. Written before any work.

    `notes` are sentences for its report that only the one who planned it knows (what came to the inbox).
    """

    build: str
    created: str
    parent: str | None
    settings: dict[str, Any]
    inputs: tuple[SourceFile, ...]
    skipped: tuple[tuple[str, str], ...]
    stages: dict[str, str]
    notes: tuple[str, ...] = ()
