"""Lengths, and how much a text repeats itself: for a whole part at once, in compiled code.

Where such code and Python's own notion of a text may differ (what a space or a letter is), tests compare them over
all characters.
"""

from __future__ import annotations

import re

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

#: In scripts that are written without spaces every character counts as a word.
_UNSPACED = r"\x{e00}-\x{e7f}\x{3040}-\x{30ff}\x{3400}-\x{9fff}"
_WORD = rf"[{_UNSPACED}]|[[\p{{L}}\p{{N}}_]--[{_UNSPACED}]]+(?:['’-][\p{{L}}\p{{N}}_]+)*"
_ELLIPSIS = re.compile(r"[\s.…·・。]+")
_BEGINS_WITH_DOT = "^[.…·・。]"
#: Zero-width and formatting characters that a reader does not see.
_INVISIBLE = "[\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff]"
INVISIBLE = re.compile(_INVISIBLE)
#: Texts whose words are numbered together, and the bits of such a number: with them a trigram fits into 64 bits.
_TOGETHER, _WORD_BITS = 4_096, 17


def visible(texts: pa.Array) -> pa.Array:
    """The texts as a reader sees them: without invisible characters and outer space."""
    hidden = pl.Series(texts).str.contains(_INVISIBLE).to_arrow()
    if pc.any(hidden).as_py():
        cleaned = [INVISIBLE.sub("", text) for text in texts.filter(hidden).to_pylist()]
        texts = pc.replace_with_mask(texts, hidden, pa.array(cleaned, pa.string()))
    return pc.utf8_trim_whitespace(texts)


def count_words(texts: pa.Array) -> pa.Array:
    """Words of each text, where an apostrophe or hyphen joins."""
    return pl.Series(texts).str.count_matches(_WORD).to_arrow()


def are_ellipses(texts: pa.Array) -> list[bool]:
    """Of visible texts, whether nothing but dots is said."""
    found = [False] * len(texts)
    for row in pc.indices_nonzero(pc.match_substring_regex(texts, _BEGINS_WITH_DOT)).to_pylist():
        found[row] = _ELLIPSIS.fullmatch(texts[row].as_py()) is not None
    return found


def repetitions(texts: pa.Array) -> np.ndarray:
    """Per visible text the share of word trigrams that have occurred before in it: 0 for none, near 1 for a loop."""
    pieces = [texts.slice(start, _TOGETHER) for start in range(0, len(texts), _TOGETHER)]
    return np.concatenate([np.empty(0), *map(_repetitions, pieces)])


def repetition(text: str) -> float:
    """The same for a single text."""
    words = text.casefold().split()
    total = len(words) - 2
    if total < 2:
        return 0.0
    distinct = len(set(zip(words, words[1:], words[2:], strict=False)))
    return 1.0 - distinct / total


def _repetitions(texts: pa.Array) -> np.ndarray:
    words = pc.utf8_split_whitespace(texts)
    coded = pc.dictionary_encode(words.flatten())
    if len(coded.dictionary) >> _WORD_BITS:  # hardly any word comes twice
        return np.array([repetition(text) for text in texts.to_pylist()])
    code = _folded(coded.dictionary)[coded.indices.to_numpy()]
    row = pc.list_parent_indices(words).to_numpy()
    inside = row[2:] == row[:-2]
    keys = (
        (row[2:] << (3 * _WORD_BITS))
        | (code[2:] << (2 * _WORD_BITS))
        | (code[1:-1] << _WORD_BITS)
        | code[:-2]
    )
    keys = np.sort(keys[inside])
    first = np.r_[True, keys[1:] != keys[:-1]][: len(keys)]
    distinct = np.bincount(keys[first] >> (3 * _WORD_BITS), minlength=len(texts))
    total = np.bincount(row[2:][inside], minlength=len(texts))
    return np.where(total < 2, 0.0, 1.0 - distinct / np.maximum(total, 1))


def _folded(words: pa.Array) -> np.ndarray:
    """A number per word, the same for words that differ in case only."""
    foreign = pc.invert(pc.string_is_ascii(words))
    folded = pa.array([word.casefold() for word in words.filter(foreign).to_pylist()], pa.string())
    same = pc.dictionary_encode(pc.replace_with_mask(pc.ascii_lower(words), foreign, folded))
    return np.asarray(same.indices.to_numpy(), np.int64)
