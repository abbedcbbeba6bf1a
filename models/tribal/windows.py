"""Conversations cut into windows that fit into a row, and windows packed into rows; not a token is lost."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Any

import numpy as np

from models.tribal.documents import Documents


def cut_windows(documents: Documents, max_length: int) -> Any:
    """Windows of at most `max_length` tokens, without overlap: int64 [W, 3] of document, start, end (of all tokens).

    A window ends with the last turn that fits; only a turn that is longer than a window is cut within.
    """
    edges = np.flatnonzero(np.diff(documents.turn, append=-1)) + 1  # where turns end
    windows: list[tuple[int, int, int]] = []
    for document, (start, stop) in enumerate(
        zip(documents.starts[:-1].tolist(), documents.starts[1:].tolist(), strict=True)
    ):
        while start < stop:
            end = _end(edges, start, min(start + max_length, stop))
            windows.append((document, start, end))
            start = end
    return np.array(windows, np.int64).reshape(-1, 3)


def _end(edges: Any, start: int, most: int) -> int:
    """The last end of a turn in (start, most]; `most` where there is none."""
    last = int(np.searchsorted(edges, most, side="right")) - 1
    return int(edges[last]) if last >= 0 and edges[last] > start else most


def pack_windows(lengths: Sequence[int], max_length: int) -> list[list[int]]:
    """Rows of window numbers, each of at most `max_length` tokens together: the longest first, where it fits best.

    Rows come in the order of their first window. Equal lengths give equal rows.
    """
    rows: list[list[int]] = []
    room: list[tuple[int, int]] = []  # (tokens left, row), sorted
    for number in sorted(range(len(lengths)), key=lambda n: (-lengths[n], n)):
        length = lengths[number]
        place = bisect_left(room, (length, -1))
        if place == len(room):
            rows.append([])
            left, row = max_length, len(rows) - 1
        else:
            left, row = room.pop(place)
        rows[row].append(number)
        if left > length:
            insort(room, (left - length, row))
    return sorted((sorted(row) for row in rows), key=lambda row: row[0])
