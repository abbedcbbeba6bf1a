"""The lines of a part's examples, as arrays: most conversations need no repair and are never taken apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.assembly.repair import Assembled, Turn, assemble

PLACEMENTS = ("trained", "context", "masked", "dropped")
_TRAINED, _CONTEXT = 0, 1


@dataclass
class Lines:
    """Lines in order. Per line its conversation, its first message and whether it is trained on; all by row number.

    `joined` has the messages of a line with several, by the first; `repairs` those of a conversation that took some.
    `placements` has a number (of PLACEMENTS) per message, `reasons` its reason.
    """

    owner: np.ndarray
    first: np.ndarray
    trainable: np.ndarray
    placements: np.ndarray
    reasons: pa.Array
    joined: dict[int, list[int]] = field(default_factory=dict)
    repairs: dict[int, Counter[str]] = field(default_factory=dict)


def lines_of(messages: pa.Table, verdicts: pa.Table, rows: np.ndarray, texts: np.ndarray) -> Lines:
    """Place the messages of a part; `rows` are their conversations, `texts` those that are a text by itself."""
    role, author, intensity = (messages[name].combine_chunks() for name in ("role", "author", "intensity"))
    action, reason = (verdicts[name].combine_chunks() for name in ("action", "reason"))
    replies = pc.equal(role, "assistant").to_numpy(zero_copy_only=False)
    plain = _plain(role, action, replies, rows)
    whole = np.flatnonzero(plain)
    lines = Lines(
        owner=rows[whole],
        first=whole,
        trainable=replies[whole],
        placements=np.where(replies, _TRAINED, _CONTEXT),
        reasons=reason,
    )
    if not plain.all():
        _repair(lines, (role, action, author, intensity), np.flatnonzero(~plain), rows, set(texts.tolist()))
    return lines


def _plain(role: pa.Array, action: pa.Array, replies: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Which messages stand in conversations where every question has its one reply and all is kept."""
    if not len(rows):
        return np.zeros(0, bool)
    starts = np.flatnonzero(np.r_[True, rows[1:] != rows[:-1]])
    sizes = np.diff(np.r_[starts, len(rows)])
    asked = pc.equal(role, "user").to_numpy(zero_copy_only=False)
    place = np.arange(len(rows)) - np.repeat(starts, sizes)
    fits = np.where(place % 2 == 0, asked, replies) & pc.equal(action, "keep").to_numpy(zero_copy_only=False)
    whole = np.logical_and.reduceat(fits, starts) & (sizes % 2 == 0)
    return np.repeat(whole, sizes)


def _repair(
    lines: Lines, columns: Sequence[pa.Array], others: np.ndarray, rows: np.ndarray, texts: set[int]
) -> None:
    """Add the lines of conversations that must be looked at turn by turn: role, action, author, intensity."""
    chosen = pa.array(others)
    told = [column.take(chosen).to_pylist() for column in (*columns, lines.reasons)]
    turns = [
        Turn(role, "", action, author, intensity, reason=reason, row=row)
        for row, role, action, author, intensity, reason in zip(others.tolist(), *told, strict=True)
    ]
    owners = rows[others]
    borders = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1], True]).tolist()
    added: list[tuple[int, int, bool]] = []
    for start, end in pairwise(borders):
        owner = int(owners[start])
        result = assemble(turns[start:end], owner in texts)
        added += _added(lines, owner, result)
    lines.placements[others] = [PLACEMENTS.index(turn.placement) for turn in turns]
    changed = np.zeros(len(rows), bool)
    changed[others] = True
    lines.reasons = pc.replace_with_mask(
        lines.reasons, pa.array(changed), pa.array([turn.reason for turn in turns], pa.string())
    )
    more = np.array(added, np.int64).reshape(-1, 3)
    order = np.argsort(np.r_[lines.first, more[:, 1]], kind="stable")
    lines.owner = np.r_[lines.owner, more[:, 0]][order]
    lines.trainable = np.r_[lines.trainable, more[:, 2].astype(bool)][order]
    lines.first = np.r_[lines.first, more[:, 1]][order]


def _added(lines: Lines, owner: int, result: Assembled) -> list[tuple[int, int, bool]]:
    if result.lines and result.repairs.total():
        lines.repairs[owner] = result.repairs
    for line in result.lines:
        if len(line.turns) > 1:
            lines.joined[line.turns[0].row] = [turn.row for turn in line.turns]
    return [(owner, line.turns[0].row, line.trainable) for line in result.lines]
