"""Examples that say what an evaluation asks: any user turn, or the example as a whole, is a copy of a prompt, or a
prompt stands inside any turn, whoever says it.

Without near copies (`near` is off) a prompt is found by exactly its words only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.settings import DedupSettings
from schemas.tables import CONTAMINATED
from tasks.dedup.containment import RunIndex, find_contained, run_index
from tasks.dedup.fanning import Parts, over_parts
from tasks.dedup.keys import Keys
from tasks.dedup.shingles import jaccard, shingle_sets
from tasks.dedup.signatures import fold_signature, minhash
from tasks.dedup.words import has_words, join_contents, normalise

_EXACT, _NEAR, _CONTAINED = range(3)
_METHODS = ("exact", "near", "contained")
_FOUND = np.dtype([("row", np.int64), ("prompt", np.int64), ("similarity", np.float32), ("method", np.int8)])


def find_contaminated(parts: Parts, keys: Keys, settings: DedupSettings) -> tuple[np.ndarray, pa.Table]:
    """The contaminated rows, ascending, and the table `contaminated`: each with one prompt: an exact copy before a near
    one before one that stands in it, and of these the most alike."""
    names = [f"{file.name}:{n}" for file in settings.prompts for n in range(1, len(file.prompts) + 1)]
    prompts = [prompt for file in settings.prompts for prompt in file.prompts]
    if not prompts:
        return np.zeros(0, np.int64), CONTAMINATED.empty_table()
    everything = keys.split(np.arange(len(keys)))
    comparing = _Comparing(prompt_index(prompts, settings), settings)
    found = [np.zeros(0, _FOUND)]
    for number, packed in over_parts(parts, everything, comparing):
        some = np.frombuffer(packed, _FOUND).copy()
        some["row"] += keys.starts[number]
        found.append(some)
    hits = np.sort(np.concatenate(found), order="row")
    table = pa.Table.from_arrays(
        [
            keys.ids(hits["row"]),
            pa.array(names).take(pa.array(hits["prompt"])),
            pa.array(hits["similarity"]),
            pa.array(_METHODS).take(pa.array(hits["method"])),
        ],
        schema=CONTAMINATED,
    )
    return hits["row"], table.take(pc.array_sort_indices(table["example_id"]))


@dataclass(frozen=True)
class PromptIndex:
    """Prompts as they are looked up: their words, their bands (None without near copies), which are long enough to be
    compared by them, and the runs of words by which they are found inside longer turns."""

    words: pl.Series
    bands: np.ndarray | None
    long_enough: np.ndarray
    runs: RunIndex


def prompt_index(prompts: Sequence[str], settings: DedupSettings) -> PromptIndex:
    """What `prompts` are found by."""
    words = normalise(pa.array(prompts, pa.string()))
    bands = fold_signature(minhash(words, settings), settings.bands)[0] if settings.near else None
    runs = run_index(words, settings.contained if settings.near else 1.0, settings.fewest_words)
    return PromptIndex(words, bands, has_words(words, settings.fewest_words), runs)


@dataclass(frozen=True)
class _Comparing:
    """The work on one part's messages: packed records of the rows that are copies of a prompt."""

    index: PromptIndex
    settings: DedupSettings

    def __call__(self, messages: pa.ChunkedArray) -> bytes:
        row, texts = asked(messages)
        words = normalise(texts)
        found = np.concatenate([self._exact(row, words), self._near(row, words), self._contained(messages)])
        order = np.lexsort((found["prompt"], -found["similarity"], found["method"], found["row"]))
        found = found[order]
        first = np.r_[True, found["row"][1:] != found["row"][:-1]] if len(found) else np.zeros(0, bool)
        return found[first].tobytes()

    def _exact(self, row: np.ndarray, words: pl.Series) -> np.ndarray:
        place = pc.index_in(words.to_arrow(), self.index.words.to_arrow())
        there = np.flatnonzero(place.is_valid().to_numpy(zero_copy_only=False) & (words != "").to_numpy())
        prompt = place.take(pa.array(there)).to_numpy(zero_copy_only=False)
        return _records(row[there], prompt, np.ones(len(there), np.float32), _EXACT)

    def _near(self, row: np.ndarray, words: pl.Series) -> np.ndarray:
        if self.index.bands is None:
            return np.zeros(0, _FOUND)
        bands = fold_signature(minhash(words, self.settings), self.settings.bands)[0]
        pairs = meeting(bands, self.index.bands)
        both = has_words(words, self.settings.fewest_words)[pairs[:, 0]] & self.index.long_enough[pairs[:, 1]]
        texts, place = np.unique(pairs[both, 0], return_inverse=True)
        prompts, prompt = np.unique(pairs[both, 1], return_inverse=True)
        size = self.settings.shingle_words
        likeness = jaccard(
            shingle_sets(words[texts], size),
            shingle_sets(self.index.words[prompts], size),
            np.stack([place, prompt], axis=1),
        )
        true = likeness >= np.float32(self.settings.threshold)
        return _records(row[texts[place[true]]], prompts[prompt[true]], likeness[true], _NEAR)

    def _contained(self, messages: pa.ChunkedArray) -> np.ndarray:
        lists = messages.combine_chunks()
        words = normalise(pc.struct_field(pc.list_flatten(lists), "content"))
        turn, prompt, share = find_contained(self.index.runs, words)
        return _records(pc.list_parent_indices(lists).to_numpy()[turn], prompt, share, _CONTAINED)


def asked(messages: pa.ChunkedArray) -> tuple[np.ndarray, pa.Array]:
    """What is compared with the prompts, and of which row: every user turn, then every example as a whole."""
    lists = messages.combine_chunks()
    turns = pc.list_flatten(lists)
    user = pc.equal(pc.struct_field(turns, "role"), "user")
    row = pc.list_parent_indices(lists).filter(user).to_numpy()
    texts = pa.concat_arrays([pc.struct_field(turns, "content").filter(user), join_contents(lists)])
    return np.concatenate([row, np.arange(len(lists))]), texts


def meeting(bands: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Pairs (text, other) that agree in a band, each once, as (n, 2)."""
    found = [np.zeros(0, np.int64)]
    for own, their in zip(bands, others, strict=True):
        order = np.argsort(their, kind="stable")
        low, high = (np.searchsorted(their[order], own, side) for side in ("left", "right"))
        count = high - low
        text = np.repeat(np.arange(len(own)), count)
        other = order[np.arange(len(text)) - np.repeat(np.cumsum(count) - count - low, count)]
        found.append(text * others.shape[1] + other)
    keys = np.unique(np.concatenate(found))
    return np.stack([keys // others.shape[1], keys % others.shape[1]], axis=1)


def _records(row: np.ndarray, prompt: np.ndarray, similarity: np.ndarray, method: int) -> np.ndarray:
    made = np.zeros(len(row), _FOUND)
    made["row"], made["prompt"], made["similarity"], made["method"] = row, prompt, similarity, method
    return made
