"""Lines that many texts share: a system prompt, a disclaimer, a form.

With them a long prompt and a short question would be nine parts of ten the same as any other question under it. So
copies are sought without them first, and then with them, and `likeness.py` says what they count for. A line is known by
a hash; of system turns, which are shared by design, one that stands in two texts is boilerplate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from tasks.dedup.shingles import distinct, hash_strings
from tasks.dedup.words import join_contents

#: Of a line's code 43 bits are its hash and the last one says whether it is of a system turn.
_CODE_BITS = 44
_OWNER = np.uint64(_CODE_BITS)


@dataclass(frozen=True)
class Lines:
    """The lines of some texts, in order: `owner[n]` is the text of line `n`, `code[n]` tells lines apart."""

    owner: np.ndarray
    code: np.ndarray
    text: pl.Series


def lines_of(messages: pa.ChunkedArray | pa.Array) -> Lines:
    """The lines of examples' messages (structs of role and content)."""
    lists = messages.combine_chunks() if isinstance(messages, pa.ChunkedArray) else messages
    turns = pc.list_flatten(lists)
    contents = pl.from_arrow(pc.struct_field(turns, "content"))
    assert isinstance(contents, pl.Series)
    split = contents.str.split("\n")
    count = split.list.len().to_numpy().astype(np.int64)
    text = split.explode().str.strip_chars() if len(split) else pl.Series([], dtype=pl.String)
    system = pc.equal(pc.struct_field(turns, "role"), "system").to_numpy(zero_copy_only=False)
    code = hash_strings(text) >> np.uint64(64 - _CODE_BITS) & ~np.uint64(1)
    code |= np.repeat(system, count).astype(np.uint64)
    return Lines(np.repeat(pc.list_parent_indices(lists).to_numpy(), count), code, text)


def codes_by_text(lines: Lines, size: int) -> tuple[np.ndarray, np.ndarray]:
    """How many distinct lines that are not blank each of `size` texts has, and their codes, text after text."""
    there = (lines.text != "").to_numpy()
    keys = distinct(lines.owner[there].astype(np.uint64) << _OWNER | lines.code[there])
    counts = np.bincount((keys >> _OWNER).astype(np.int64), minlength=size)
    return counts.astype(np.int64), keys & np.uint64((1 << _CODE_BITS) - 1)


def find_boilerplate(codes: np.ndarray, texts: int) -> np.ndarray:
    """Codes that stand in at least so many texts (of system turns: in two), sorted."""
    ordered = np.sort(codes)
    starts = (
        np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(ordered) else np.zeros(0, np.int64)
    )
    count = np.diff(np.r_[starts, len(ordered)])
    found = ordered[starts]
    enough: np.ndarray = found[(count >= texts) | ((count >= 2) & of_system(found))]
    return enough


def of_system(codes: np.ndarray) -> np.ndarray:
    """Which codes are of lines of system turns."""
    found: np.ndarray = codes & np.uint64(1) == 1
    return found


def is_boilerplate(codes: np.ndarray, boilerplate: np.ndarray) -> np.ndarray:
    """Which codes are among the (sorted) boilerplate."""
    if not len(boilerplate):
        return np.zeros(len(codes), bool)
    place = np.minimum(np.searchsorted(boilerplate, codes), len(boilerplate) - 1)
    found: np.ndarray = boilerplate[place] == codes
    return found


def own_text(messages: pa.ChunkedArray | pa.Array, boilerplate: np.ndarray) -> pa.Array:
    """The text of each example without boilerplate lines."""
    if not len(boilerplate):
        return join_contents(messages)
    lines = lines_of(messages)
    own = ~is_boilerplate(lines.code, boilerplate)
    counts = np.bincount(lines.owner[own], minlength=len(messages))
    offsets = pa.array(np.r_[0, np.cumsum(counts)].astype(np.int32))
    kept = lines.text.filter(pl.Series(own)).to_arrow().cast(pa.string())
    return pc.binary_join(pa.ListArray.from_arrays(offsets, kept), " ")
