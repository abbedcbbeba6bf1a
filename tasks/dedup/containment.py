"""Prompts that stand inside a longer turn: after "Please answer:", as one paragraph, in a list of questions.

A prompt stands in a text where so much of its pairs of words stands there together: within as many words as the prompt
has, and as many more as may differ. Texts are met by runs of four words that they share with a prompt. Runs that very
many prompts begin with (a template) are no meeting place, unless a prompt has no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from tasks.dedup.shingles import distinct, hash_words

#: Words of a run by which a text meets a prompt, and of the n-grams whose share is measured.
_SEED, _PAIR = 4, 2
#: Prompts of fewer words stand in too many texts by chance.
FEWEST_WORDS = 5
#: A run that more prompts share is left to the other runs of these; each prompt has at least its `_RAREST`.
_SHARED, _RAREST = 64, 4
#: Of its runs of four words, a text that holds a prompt with a few changes has at least this part.
_LEAST_RUNS = 0.2
_MIX = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class RunIndex:
    """Prompts as they are looked up: `runs` (sorted) and the place in `prompts` of the prompt that each belongs to.

    Of place `p`, `prompts[p]` is the prompt's number, `words[p]` counts its words, `share[p]` is how much of its pairs
    must stand together, `met[p]` counts its runs, `pairs[p]` are its pairs of words, sorted.
    """

    runs: np.ndarray
    owner: np.ndarray
    prompts: np.ndarray
    words: np.ndarray
    share: np.ndarray
    met: np.ndarray
    pairs: tuple[np.ndarray, ...]


def run_index(words: pl.Series, share: float, fewest: int) -> RunIndex:
    """What normalised prompts are found by in longer texts; those of fewer than `fewest` words must be there whole."""
    counts, flat = hash_words(words)
    starts = np.cumsum(counts) - counts
    own = pl.DataFrame({"n": np.arange(len(words)), "words": words})
    first = own.filter(own["words"].is_first_distinct())["n"].to_numpy()
    prompts = first[counts[first] >= FEWEST_WORDS]
    spans = [flat[starts[n] : starts[n] + counts[n]] for n in prompts.tolist()]
    runs, owner = _seeds([np.unique(_hash_runs(span, _SEED)) for span in spans])
    return RunIndex(
        runs,
        owner,
        prompts,
        counts[prompts],
        np.where(counts[prompts] < fewest, 1.0, share),
        np.bincount(owner, minlength=len(prompts)),
        tuple(np.unique(_hash_runs(span, _PAIR)) for span in spans),
    )


def find_contained(index: RunIndex, words: pl.Series) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The normalised texts that hold a prompt: text, prompt and how much of the prompt stands there together."""
    counts, flat = hash_words(words)
    ends = np.cumsum(counts)
    texts, places = _meeting(index, flat, counts)
    found = []
    pairs, last = np.zeros(0, np.uint64), -1
    for text, place in zip(texts.tolist(), places.tolist(), strict=True):
        if text != last:
            pairs, last = _hash_runs(flat[ends[text] - counts[text] : ends[text]], _PAIR), text
        share = float(index.share[place])
        reach = int(index.words[place] / share) - 1
        part = _together(index.pairs[place], pairs, reach) / len(index.pairs[place])
        if part >= share:
            found.append((text, index.prompts[place], part))
    held = np.array(found, np.float64).reshape(-1, 3)
    return held[:, 0].astype(np.int64), held[:, 1].astype(np.int64), held[:, 2].astype(np.float32)


def _seeds(runs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The runs by which prompts are met, sorted, and which prompt each belongs to (by its place)."""
    owner = np.repeat(np.arange(len(runs)), [len(some) for some in runs])
    flat = np.concatenate([np.zeros(0, np.uint64), *runs])
    _, inverse, shared = np.unique(flat, return_inverse=True, return_counts=True)
    by_rarity = np.lexsort((flat, shared[inverse], owner))
    rank = np.arange(len(flat)) - np.searchsorted(owner, owner)
    chosen = by_rarity[(shared[inverse][by_rarity] <= _SHARED) | (rank < _RAREST)]
    order = chosen[np.lexsort((owner[chosen], flat[chosen]))]
    return flat[order], owner[order]


def _meeting(index: RunIndex, flat: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs (text, place of a prompt) with enough runs in common, by text."""
    runs = _hash_runs(flat, _SEED)
    text = np.repeat(np.arange(len(counts)), counts)
    low = np.searchsorted(index.runs, runs)
    inside = low < len(index.runs)
    inside[inside] = index.runs[low[inside]] == runs[inside]
    inside &= text[: len(runs)] == text[len(text) - len(runs) :]  # no run goes over the end of its text
    at = np.flatnonzero(inside)
    count = np.searchsorted(index.runs, runs[at], "right") - low[at]
    seed = np.repeat(low[at] - np.cumsum(count) + count, count) + np.arange(count.sum())
    each = distinct((np.repeat(text[at], count) * len(index.runs) + seed).astype(np.uint64)).astype(np.int64)
    pair = each // max(1, len(index.runs)) * len(index.prompts) + index.owner[each % max(1, len(index.runs))]
    keys, met = np.unique(pair, return_counts=True)
    texts, places = np.divmod(keys, max(1, len(index.prompts)))
    enough = met >= _LEAST_RUNS * index.met[places]
    return texts[enough], places[enough]


def _together(wanted: np.ndarray, pairs: np.ndarray, reach: int) -> int:
    """The most of the wanted (sorted) pairs that stand within so many successive pairs of a text."""
    place = np.minimum(np.searchsorted(wanted, pairs), len(wanted) - 1)
    there = np.flatnonzero(wanted[place] == pairs)
    inside: dict[int, int] = {}
    most = start = 0
    for at, which in zip(there.tolist(), place[there].tolist(), strict=True):
        inside[which] = at
        while there[start] <= at - reach:
            gone = int(place[there[start]])
            if inside.get(gone) == there[start]:
                del inside[gone]
            start += 1
        most = max(most, len(inside))
    return most


def _hash_runs(words: np.ndarray, size: int) -> np.ndarray:
    """A hash of each run of so many words, by its first word."""
    many = max(0, len(words) - size + 1)
    value = np.zeros(many, np.uint64)
    for offset in range(size):
        value = (value ^ words[offset : offset + many]) * _MIX
        value ^= value >> np.uint64(31)
    return value
