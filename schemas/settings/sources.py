"""Sources of a build: where data lies, what it is, and how it is to be read. Written by people as a YAML file."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from schemas.categories import CATEGORIES
from schemas.ids import hash_json
from schemas.settings.mapping import Mapping, Narrative, Paths, Pattern
from schemas.settings.mixing import MOST
from schemas.settings.model import Settings

LABEL = "label"
#: Formats by their own shape: what a file of a mapping may be.
KINDS = ("json", "jsonl", "csv", "tsv", "parquet", "text", "xml")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_OWNED = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?")
#: What does not change how a file is read.
_ELSEWHERE = (
    "path",
    "dataset",
    "revision",
    "config",
    "split",
    "data_files",
    "rows",
    "license",
    "weight",
    "own",
)

Scalar = str | int | float | bool | None


class Reading(Settings):
    """How the bytes of a file become records."""

    kind: Literal["auto", "json", "jsonl", "csv", "tsv", "parquet", "text", "xml"] = Field(
        "auto", description="auto: by the file's beginning, and its name where that says nothing."
    )
    encoding: Literal["auto", "utf-8", "utf-16", "cp1252", "latin-1"] = Field(
        "auto", description="auto: UTF-8, and Windows-1252 where it is not."
    )
    records: str | None = Field(
        None,
        description="json: where the records stand in an object, like data or data[*].rows; * for one keyed by id.",
    )
    delimiter: str | None = Field(None, min_length=1, max_length=1, description="csv: what parts columns.")
    quote: str | None = Field(None, max_length=1, description='csv: the quote; "" for none. csv ", tsv none.')
    header: bool = Field(True, description="csv: the first line names the columns.")
    columns: tuple[str, ...] = Field(
        (), description="csv: the names of the columns, where no line names them."
    )
    split: Literal["whole", "lines", "paragraphs", "chapters"] = Field(
        "whole",
        description="text: what a record is; its column is `text`. chapters begin at lines such as CHAPTER IV.",
    )
    begins: Pattern | None = Field(
        None, description="text: a record begins at every line in which this is found (instead of split)."
    )
    separator: str | None = Field(
        None, min_length=1, description="text: what parts records (instead of split)."
    )
    element: str | None = Field(None, description="xml: the tag of the elements that are records.")

    @model_validator(mode="after")
    def _possible(self) -> Reading:
        if not self.header and not self.columns:
            raise ValueError("header: false needs columns, the names of the columns")
        if self.begins and self.separator:
            raise ValueError("give begins or separator, not both")
        return self


class Condition(Settings):
    """What a column must fulfil for a record to stay. A text compares as the number that it is, where one is asked."""

    column: str = Field(description="A column, or a path.")
    equals: Scalar = Field(None, description="It is this.")
    differs: Scalar = Field(None, description="It is not this.")
    one_of: tuple[Scalar, ...] | None = Field(None, description="It is one of these.")
    none_of: tuple[Scalar, ...] | None = Field(None, description="It is none of these.")
    at_least: float | None = Field(None, description="It is a number not below this.")
    at_most: float | None = Field(None, description="It is a number not above this.")
    above: float | None = Field(None, description="It is a number above this.")
    below: float | None = Field(None, description="It is a number below this.")
    matches: Pattern | None = Field(None, description="This regular expression is found in it.")
    present: bool | None = Field(
        None, description="true: it says something; false: it is null, missing or empty."
    )

    @model_validator(mode="after")
    def _one(self) -> Condition:
        if not self.given():
            names = [name for name in type(self).model_fields if name != "column"]
            raise ValueError(
                f"says nothing of {self.column!r}: give one of {', '.join(names)} (null: present: false)"
            )
        return self

    def given(self) -> dict[str, Any]:
        """The comparisons that were asked for."""
        named = {name: getattr(self, name) for name in type(self).model_fields if name != "column"}
        return {name: value for name, value in named.items() if value is not None}


def _listed(given: Any) -> Any:
    return [given] if isinstance(given, (dict, Condition)) else given


class Filters(Settings):
    """Which records stay. Each that goes is counted by reason."""

    where: Annotated[tuple[Condition, ...], BeforeValidator(_listed)] = Field(
        (), description="On columns; all must hold."
    )
    min_chars: int = Field(0, ge=0, description="The whole conversation has at least so many characters.")
    max_chars: int | None = Field(
        None, ge=1, description="The whole conversation has at most so many characters."
    )
    languages: tuple[str, ...] = Field(
        (), description="It is in one of these (ISO 639-1), as the build's languages are told apart."
    )


class Source(Settings):
    """One source of a build. Give path or dataset; mapping, narrative, or neither for chat files as they are."""

    path: Paths = Field(
        (), description="A file, folder, zip or glob, or several; from the sources file's own folder."
    )
    dataset: str | None = Field(
        None, description="The name of a data set on Hugging Face; `vatra fetch` brings it."
    )
    revision: str | None = Field(None, description="dataset: the full commit (40 hexadecimal digits).")
    config: str | None = Field(None, description="dataset: which of its configurations.")
    split: str = Field("train", min_length=1, description="dataset: which of its splits.")
    data_files: Paths = Field((), description="dataset: only these files of the repository (globs).")
    rows: int | None = Field(None, ge=1, description="dataset: bring the first so many rows only.")
    read: Reading = Reading()
    mapping: Mapping | None = Field(
        None, description="How records become conversations. None: chat files as they are."
    )
    narrative: Narrative | None = Field(None, description="Stories: one example each.")
    category: str | None = Field(
        None, description="One of the ten categories; `label` (or nothing): to be labelled by the build."
    )
    license: str | None = Field(None, description="The license, for the data card.")
    weight: float | None = Field(
        None, gt=0, le=MOST, description="How much of it, relative to the other sources."
    )
    own: bool | None = Field(
        None,
        description="Whether these are one's own chats (for `own*` in shares). None: those in path without a mapping "
        "or narrative are.",
    )
    filters: Filters = Filters()
    roles: dict[str, Literal["system", "user", "assistant", "tool_call", "tool", "skip"]] = Field(
        {}, description="What its words for roles mean; skip: such turns are left out and counted."
    )
    sample: float | None = Field(None, gt=0, lt=1, description="Keep this share, drawn by seed and content.")
    limit: int | None = Field(
        None, ge=1, description="At most so many conversations: the first ones, in file order."
    )
    seed: int = Field(42, ge=0, description="For sample, and for the prompts of a narrative.")

    @field_validator("path")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not path or "\0" in path for path in value):
            raise ValueError("no path: it is empty, or holds a character of the code 0")
        return value

    @field_validator("category")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is None or value == LABEL:
            return None
        if value not in CATEGORIES:
            raise ValueError(f"unknown category; there are: {', '.join(CATEGORIES)}, and {LABEL}")
        return value

    @model_validator(mode="after")
    def _possible(self) -> Source:
        if bool(self.path) == bool(self.dataset):
            raise ValueError("give path or dataset" + (", not both" if self.path else ""))
        if self.mapping and self.narrative:
            raise ValueError("give mapping or narrative, not both")
        if self.dataset:
            if not _OWNED.fullmatch(self.dataset):
                raise ValueError("dataset is a name on Hugging Face, like owner/name")
            if not _COMMIT.fullmatch(self.revision or ""):
                raise ValueError(
                    f"the data set {self.dataset} is not pinned: revision is a full commit (40 hexadecimal digits), "
                    "as the history of its files on the hub shows"
                )
        elif (self.revision, self.config, self.data_files, self.rows) != (None, None, (), None):
            raise ValueError("revision, config, data_files and rows go with dataset")
        if not self.is_mapped and self.read != Reading():
            raise ValueError("read goes with mapping or narrative: chat files are found out by content")
        return self

    @property
    def is_mapped(self) -> bool:
        """Whether a mapping or narrative says how its records become conversations."""
        return self.mapping is not None or self.narrative is not None

    @property
    def is_own(self) -> bool:
        """Whether it counts as one's own chats: as it says, else exports as they are, that nobody has published."""
        return self.own if self.own is not None else not (self.is_mapped or self.dataset)

    def reading_digest(self) -> str:
        """Identity of how its files are read: what is in it re-parses this source when it changes."""
        said = {name: value for name, value in self.model_dump(mode="json").items() if name not in _ELSEWHERE}
        return hash_json(said)


def check_names(sources: dict[str, Source]) -> dict[str, Source]:
    """Source names stand in columns and file names. Raises ValueError."""
    for name in sources:
        if not _NAME.fullmatch(name):
            raise ValueError(
                f"the source name {name!r} has other characters than letters, digits, dot, - and _"
            )
    return dict(sorted(sources.items()))
