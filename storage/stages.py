"""What `materialize` needs to know of a stage: its function, its version, and the units of work it is cut into."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from typing import Any, Literal, Protocol

import pyarrow as pa
from pydantic import BaseModel

from schemas.ids import hash_json
from schemas.manifest import TableFile
from schemas.summary import ValidationResult
from storage.datasets import Dataset, read_table
from storage.store import Store


@dataclass(frozen=True)
class Stage:
    """A stage as data.

    `function(argument, settings)`, or `function(argument, settings, resource)` when `resource` is given, yields
    Parts; it must be importable by name, since workers unpickle it. `version` is raised by hand whenever the
    function or its expectations change what comes out. `libraries` are distributions whose version changes results.

    kind `row`: cut into units that are remembered one by one. kind `corpus`: one unit over whole datasets.
    """

    name: str
    version: int
    kind: Literal["row", "corpus"]
    unit: str
    function: Callable[..., Any]
    libraries: tuple[str, ...] = ()
    resource: Callable[[Any, Any], Any] | None = None


class Payload(Protocol):
    """What a unit hands to the stage's function, opened where the work is done."""

    def open(self, store: Store) -> Any:
        """The function's first argument."""


@dataclass(frozen=True)
class Unit:
    """A piece of work: `key` are the digests of what it reads, `size` the bytes (for scheduling only)."""

    key: tuple[str, ...]
    payload: Payload
    size: int = 0


@dataclass(frozen=True)
class AlignedParts:
    """The same-numbered parts of aligned tables."""

    files: Mapping[str, TableFile]

    def open(self, store: Store) -> Mapping[str, pa.Table]:
        """One Arrow table per name."""
        return {name: read_table(store, file, name) for name, file in self.files.items()}


@dataclass(frozen=True)
class WholeDatasets:
    """Whole datasets, for a corpus stage."""

    datasets: Mapping[str, Dataset]

    def open(self, store: Store) -> Mapping[str, Dataset]:
        """The datasets themselves; the function reads the columns that it needs."""
        return self.datasets


@dataclass(frozen=True)
class Given:
    """A value that is handed over as it is (the files of parse)."""

    value: Any

    def open(self, store: Store) -> Any:
        """The value."""
        return self.value


class Suite(Protocol):
    """The expectations of a stage: on each part, and on the one-row summary of the whole."""

    def check_part(self, tables: Mapping[str, pa.Table]) -> ValidationResult:
        """Row rules."""

    def check_summary(self, summary: Mapping[str, int]) -> ValidationResult:
        """Corpus-wide rules, the ledger among them."""


def fingerprint(stage: Stage, settings: BaseModel, inputs: Any) -> str:
    """Identity of a dataset: stage, version, settings, libraries, inputs; no path, time, host or worker count."""
    return hash_json({**identity(stage, settings), "inputs": inputs})


def identity(stage: Stage, settings: BaseModel) -> dict[str, Any]:
    """The part of a fingerprint that does not depend on the inputs."""
    return {
        "stage": stage.name,
        "version": stage.version,
        "settings": settings.model_dump(mode="json"),
        "libraries": library_versions(stage),
    }


def library_versions(stage: Stage) -> dict[str, str]:
    """Versions of the libraries that can change the stage's result."""
    return {name: metadata.version(name) for name in sorted(stage.libraries)}


def aligned_units(**tables: Dataset) -> list[Unit]:
    """One unit per part of aligned tables, `aligned_units(messages=parsed, signals=scored)`.

    Parts of parse that hold no conversation (only an account of empty files) are left out.
    """
    columns = {name: dataset.files(name) for name, dataset in tables.items()}
    lengths = {name: len(files) for name, files in columns.items()}
    if len(set(lengths.values())) != 1:
        raise AssertionError(f"tables are not aligned: parts {lengths}")
    units = []
    for files in zip(*columns.values(), strict=True):
        named = dict(zip(columns, files, strict=True))
        key = tuple(f"{name}:{file.digest}" for name, file in sorted(named.items()))
        units.append(Unit(key, AlignedParts(named), sum(file.bytes for file in files)))
    return units


def corpus_unit(**datasets: Dataset) -> list[Unit]:
    """The one unit of a corpus stage."""
    key = tuple(f"{name}:{dataset.manifest.fingerprint}" for name, dataset in sorted(datasets.items()))
    return [Unit(key, WholeDatasets(datasets))]
