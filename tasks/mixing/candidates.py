"""What the mixture chooses from: one row of numbers per example. Five million examples take some 350 MB."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.categories import CATEGORIES
from schemas.errors import StageFailed
from schemas.settings.mixing import ESTIMATE, NO_TOKENIZER
from tasks.mixing.ids import Finder, Ids, join, read_ids

#: Bytes of UTF-8 that are taken for one token where no tokenizer is at hand.
BYTES_PER_TOKEN = 4
#: Before every other moment: an example that has no time.
NO_TIME = np.iinfo(np.int64).min
#: Texts to their numbers of tokens.
Counter = Callable[[Sequence[str]], np.ndarray]

_COLUMNS = ["example_id", "conversation_id", "source", "text_bytes", "chars", "category", "created_at"]


class Readable(Protocol):
    """A dataset that can be read by columns, whole or part by part."""

    def column(self, table: str, columns: Sequence[str]) -> pa.Table:
        """Narrow columns over all parts."""

    def scan(self, table: str, columns: Sequence[str]) -> Iterator[pa.Table]:
        """The parts in order."""


@dataclass(frozen=True)
class Candidates:
    """All examples, the removed ones too, in the order of their table.

    `source` numbers `sources`, `category` the ten categories (-1: none); `created` counts microseconds (NO_TIME: not
    known); `left` says which examples deduplication has left in; `parts` are the rows of each part.
    """

    ids: Ids
    conversations: Ids
    sources: tuple[str, ...]
    source: np.ndarray
    category: np.ndarray
    text_bytes: np.ndarray
    chars: np.ndarray
    created: np.ndarray
    left: np.ndarray
    parts: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.source)


def read_candidates(datasets: Mapping[str, Readable]) -> Candidates:
    """The examples with their labels, where the build has any, less twins and what stands in an evaluation."""
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    names: dict[str, int] = {}
    ids, conversations = [], []
    labels = datasets["labels"].scan("labels", ["category"]) if "labels" in datasets else None
    for part in datasets["examples"].scan("examples", _COLUMNS):
        ids.append(read_ids(part["example_id"]))
        conversations.append(read_ids(part["conversation_id"]))
        category = next(labels)["category"] if labels is not None else part["category"]
        columns["source"].append(_number_sources(part["source"], names))
        columns["category"].append(_number_categories(category))
        columns["created_at"].append(_moments(part["created_at"]))
        for name in ("text_bytes", "chars"):
            columns[name].append(part[name].to_numpy())
    empty = Ids(np.empty(0, np.uint64), np.empty(0, np.uint64))
    known = join(ids) if ids else empty
    sources = sorted(names)
    renumbered = np.asarray([sources.index(name) for name in names], np.int16)
    return Candidates(
        ids=known,
        conversations=join(conversations) if conversations else empty,
        sources=tuple(sources),
        source=renumbered[_joined(columns["source"], np.int16)],
        category=_joined(columns["category"], np.int8),
        text_bytes=_joined(columns["text_bytes"], np.int64),
        chars=_joined(columns["chars"], np.int64),
        created=_joined(columns["created_at"], np.int64),
        left=_left(known, datasets),
        parts=tuple(len(part.high) for part in ids),
    )


def _joined(parts: list[np.ndarray], kind: type) -> np.ndarray:
    return np.concatenate([np.empty(0, kind), *parts]).astype(kind, copy=False)


def _number_sources(column: pa.ChunkedArray, names: dict[str, int]) -> np.ndarray:
    coded = column.combine_chunks().dictionary_encode()
    numbers = [names.setdefault(name, len(names)) for name in coded.dictionary.to_pylist()]
    return np.asarray(numbers, np.int16)[coded.indices.to_numpy()] if numbers else np.empty(0, np.int16)


def _number_categories(column: pa.ChunkedArray) -> np.ndarray:
    coded = column.combine_chunks().dictionary_encode()
    found = coded.dictionary.to_pylist()
    unknown = [name for name in found if name is not None and name not in CATEGORIES]
    if unknown:
        raise StageFailed(
            f"examples have the category {unknown[0]!r}, which there is not",
            where="mix",
            fix=f"There are: {', '.join(CATEGORIES)}.",
        )
    numbers = np.asarray([-1 if name is None else CATEGORIES.index(name) for name in found], np.int8)
    indices = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
    return np.asarray(np.append(numbers, np.int8(-1))[indices])


def _moments(column: pa.ChunkedArray) -> np.ndarray:
    moments = pc.fill_null(column.cast(pa.int64()), NO_TIME)
    return np.asarray(moments.to_numpy())


def _left(ids: Ids, datasets: Mapping[str, Readable]) -> np.ndarray:
    left = np.ones(len(ids.high), bool)
    clusters = datasets["clusters"].column("clusters", ["example_id", "keeper_id"])
    twins = clusters.filter(pc.not_equal(clusters["example_id"], clusters["keeper_id"]))
    leaving = [twins["example_id"]]
    if "contaminated" in datasets:
        leaving.append(datasets["contaminated"].column("contaminated", ["example_id"])["example_id"])
    gone = join(read_ids(column) for column in leaving)
    if len(gone.high):
        left &= Finder(gone).rows(ids) < 0
    return left


def count_tokens(
    candidates: Candidates, examples: Readable, tokenizer: str, counter: Counter | None
) -> np.ndarray | None:
    """Tokens of the contents of each example that is left (int32); None where nothing counts them."""
    if tokenizer == NO_TOKENIZER:
        return None
    if tokenizer == ESTIMATE:
        return (-(-candidates.text_bytes // BYTES_PER_TOKEN)).astype(np.int32)
    if counter is None:
        raise AssertionError("a tokenizer was chosen and not opened")
    tokens = np.zeros(len(candidates), np.int32)
    offset = 0
    for part in examples.scan("examples", ["messages"]):
        rows = np.flatnonzero(candidates.left[offset : offset + part.num_rows])
        lists = part["messages"].combine_chunks().take(pa.array(rows))
        texts = pc.struct_field(pc.list_flatten(lists), "content")
        owners = pc.list_parent_indices(lists).to_numpy()
        counts = counter(["" if text is None else text for text in texts.to_pylist()])
        tokens[offset + rows] = np.bincount(owners, weights=counts, minlength=len(rows)).astype(np.int32)
        offset += part.num_rows
    return tokens
