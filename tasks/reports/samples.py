"""Cutting the few windows of text that a report shows."""

from __future__ import annotations

import re

import pyarrow as pa

from tasks.reports.statistics import Sample

SAMPLES = 3
REACH = 40
LONGEST_HIT = 80
#: How far a cut may move outwards so as not to split a word.
GIVE = 10


def content_at(column: pa.Array, row: int) -> str:
    """The text of one row; bytes that are not UTF-8 are shown as replacement characters."""
    buffer = column[row].as_buffer()
    return "" if buffer is None else buffer.to_pybytes().decode("utf-8", "replace")


def cut_sample(message_id: str, role: str, content: str, start: int, end: int) -> Sample:
    """The hit at code points `start` to `end`, with about 40 characters on either side; spaces are folded."""
    start = min(max(start, 0), len(content))
    end = min(max(end, start), len(content))
    left, right = _word_start(content, start), _word_end(content, end)
    hit = content[start:end]
    if len(hit) > LONGEST_HIT:
        hit = hit[:LONGEST_HIT] + "…"
    before, hit, after = (
        re.sub(r"\s+", " ", text) for text in (content[left:start], hit, content[end:right])
    )
    return Sample(message_id, role, before, hit, after, left > 0, right < len(content))


def _word_start(content: str, start: int) -> int:
    left = max(0, start - REACH)
    if left == 0:
        return 0
    space = max(content.rfind(mark, left - GIVE if left > GIVE else 0, left) for mark in " \n")
    return space + 1 if space >= 0 else left


def _word_end(content: str, end: int) -> int:
    right = min(len(content), end + REACH)
    spaces = [at for mark in " \n" if (at := content.find(mark, right, right + GIVE)) >= 0]
    return min(spaces, default=right)
