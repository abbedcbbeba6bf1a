"""The words by which two texts are compared: without case, diacritics, punctuation and the like.

Letters lose case and diacritics (compatibility forms become plain ones), runs of space, punctuation and control
characters become one space. Signs that carry meaning in code and sums (+ - * / = < > % & # @ $) stay, and so do emoji.
Scripts that are written without spaces (Han, kana, Thai, Khmer ...) are compared character by character.
"""

from __future__ import annotations

import unicodedata
from functools import cache

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_MEANINGFUL = frozenset("%*/&#@+-")
#: What the table below covers: up to the CJK symbols, then ligatures, half- and full-width forms, variation selectors.
_COVERED = (range(1, 0x3100), range(0xFB00, 0xFB07), range(0xFE00, 0xFE10), range(0xFF01, 0xFF5F))
_JOINERS = frozenset("\u200c\u200d\u00ad\ufeff")
#: Thai and Lao, Burmese, Khmer, kana, Han.
_UNSPACED = (
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3041-\u30ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]"
)
#: Bytes per word beyond which nobody counts.
_SURELY = 64


def normalise(texts: pa.Array) -> pl.Series:
    """The words of each text, one space between them; empty where a text has none."""
    series = pl.from_arrow(texts)
    assert isinstance(series, pl.Series)
    plain = series.str.replace_many(folding_table())
    if _has_unspaced(plain):
        plain = plain.str.replace_all(f"({_UNSPACED})", " $1 ")
    return plain.str.replace_all(" {2,}", " ").str.strip_chars(" ")


def has_words(normalised: pl.Series, fewest: int) -> np.ndarray:
    """Which normalised texts have so many words (or are so long that they need not be counted)."""
    size = normalised.str.len_bytes().to_numpy()
    enough = size >= _SURELY * fewest
    short = np.flatnonzero(~enough & (size > 0))
    spaces = normalised[short].str.count_matches(" ", literal=True).to_numpy()
    enough[short] = spaces.astype(np.int64) + 1 >= fewest
    return enough


def join_contents(messages: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The text of each example: the contents of its messages, in order; no role, author or other column."""
    lists = messages.combine_chunks() if isinstance(messages, pa.ChunkedArray) else messages
    contents = pc.struct_field(pc.list_flatten(lists), "content")
    offsets = lists.offsets
    first = offsets[0].as_py() if len(offsets) else 0
    if first:
        offsets = pc.subtract(offsets, first)
    return pc.binary_join(pa.ListArray.from_arrays(offsets, contents), " ")


def join_replies(messages: pa.ChunkedArray | pa.Array) -> pa.Array:
    """What the assistant says in each example."""
    lists = messages.combine_chunks() if isinstance(messages, pa.ChunkedArray) else messages
    turns = pc.list_flatten(lists)
    assistant = pc.equal(pc.struct_field(turns, "role"), "assistant")
    contents = pc.if_else(assistant, pc.struct_field(turns, "content"), "")
    offsets = pa.array(np.r_[0, np.cumsum(pc.list_value_length(lists).to_numpy())].astype(np.int32))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, contents), " ")


@cache
def folding_table() -> dict[str, str]:
    """What stands for each character that does not stand for itself."""
    table = {}
    for code in (code for covered in _COVERED for code in covered):
        character = chr(code)
        plain = _plain(character)
        if plain != character:
            table[character] = plain
    return table


def _plain(character: str) -> str:
    if character in _JOINERS or 0xFE00 <= ord(character) < 0xFE10:
        return ""
    if _separates(character):
        return " "
    folded = unicodedata.normalize("NFKD", character).casefold()
    bare = (c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
    return "".join(" " if _separates(c) else c for c in bare)


def _separates(character: str) -> bool:
    kind = unicodedata.category(character)
    return kind[0] in "ZC" or (kind[0] == "P" and character not in _MEANINGFUL)


def _has_unspaced(series: pl.Series) -> bool:
    """Whether any text may hold a character of a script without spaces; a look at the bytes, which is cheap."""
    values = series.to_arrow().buffers()[-1]
    if values is None:
        return False
    octets = np.frombuffer(values, np.uint8)
    return any(_leads(octets[at : at + (1 << 18)]) for at in range(0, len(octets), 1 << 18))


def _leads(octets: np.ndarray) -> bool:
    """Whether a byte begins a character of those scripts in UTF-8: E0, E1, E3 to E9, EF."""
    ideographs = (octets - np.uint8(0xE3)) < np.uint8(7)
    others = ((octets & np.uint8(0xFE)) == np.uint8(0xE0)) | (octets == np.uint8(0xEF))
    return bool((ideographs | others).any())
