"""The curriculum: which of the chosen examples each phase reads, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

import numpy as np

from schemas.categories import CATEGORIES
from schemas.errors import StageFailed
from schemas.settings import MixSettings, Phase
from schemas.settings.mixing import Share
from schemas.tables import SPLITS
from tasks.mixing.candidates import Candidates
from tasks.mixing.ids import draw
from tasks.mixing.selection import take_first
from tasks.mixing.solving import apportion, largest, make_up

#: Without a curriculum there is one phase that reads everything.
ONLY = Phase(name="corpus")
_ANEW = ": the others are weighted anew"
_NONE = len(CATEGORIES)  # the bin of examples without a category


@dataclass(frozen=True)
class Sequence:
    """What is read one after the other: the rows of the candidates in one phase (from 1) of one split."""

    phase: int
    split: int
    rows: np.ndarray


def phases_of(settings: MixSettings) -> tuple[Phase, ...]:
    """The phases, in their order."""
    return settings.phases or (ONLY,)


def sequences(
    candidates: Candidates, copies: np.ndarray, split: np.ndarray, settings: MixSettings
) -> Iterator[Sequence]:
    """Every phase of every split that has an example, split after split."""
    for number in range(len(SPLITS)):
        members = np.flatnonzero((copies > 0) & (split == number))
        for at, phase in enumerate(phases_of(settings), start=1):
            rows = _read(candidates, members, copies, phase, settings)
            if len(rows):
                yield Sequence(at, number, _ordered(candidates, rows, phase, settings))


def shortages(
    candidates: Candidates, copies: np.ndarray, split: np.ndarray, settings: MixSettings
) -> list[str]:
    """What phases ask for and a split does not have, in words.

    Raises StageFailed where training lacks all that a phase reads, or a category of which it asks a share, unless
    shortages are to be relaxed.
    """
    found: dict[tuple[str, str, str], list[str]] = {}
    for number, name in enumerate(SPLITS):
        members = (copies > 0) & (split == number)
        there = set(np.unique(candidates.category[members]).tolist())
        for phase in phases_of(settings) if there else ():
            absent = [one for one in phase.reads if CATEGORIES.index(one) not in there]
            if not absent or (
                number and not phase.shares
            ):  # a small split need not have all that may be read
                continue
            empty = len(absent) == len(phase.reads)
            if number == 0 and settings.on_shortage == "stop" and (empty or phase.shares):
                raise _shortage(phase, absent, empty)
            became = ": the phase is left out" if empty else _ANEW if phase.shares else ""
            purposes = found.setdefault((phase.name, " or ".join(absent), became), [])
            purposes.append("training" if number == 0 else name)
    return [
        f"phase {phase!r} has no example of {absent} for {', '.join(purposes)}{became}"
        for (phase, absent, became), purposes in found.items()
    ]


def _shortage(phase: Phase, absent: list[str], empty: bool) -> StageFailed:
    asked = "has nothing to read" if empty else f"asks for a share of {absent[0]}"
    return StageFailed(
        f"phase {phase.name!r} {asked}: the mixture has no example of {' or '.join(absent)} for training",
        where="mix",
        fix="Add some, change mix.phases, or set mix.on_shortage=relax.",
    )


def _read(
    candidates: Candidates, members: np.ndarray, copies: np.ndarray, phase: Phase, settings: MixSettings
) -> np.ndarray:
    """The rows that a phase reads, each as often as it reads it; in the order of the table."""
    category = candidates.category[members].astype(np.int64)
    category[category < 0] = _NONE
    if phase.reads:
        wanted = np.isin(category, [CATEGORIES.index(name) for name in phase.reads])
        members, category = members[wanted], category[wanted]
    there = np.bincount(category, weights=copies[members], minlength=_NONE + 1).astype(np.int64)
    counts = _counts(there, phase)
    if (counts == there).all():
        return np.repeat(members, copies[members])
    rows = np.repeat(members, copies[members])
    draws = _draws(candidates, rows, settings, "phase", phase.name)
    return rows[take_first(np.repeat(category, copies[members]), counts, draws) > 0]


def _counts(there: np.ndarray, phase: Phase) -> np.ndarray:
    """How many of each category a phase reads, out of those that are there."""
    available = {str(n): int(count) for n, count in enumerate(there) if count}
    limit = ceil(Fraction(str(phase.fraction)) * sum(available.values()))
    limit = min(limit, phase.size or limit)
    counts = np.zeros_like(there)
    if phase.shares:
        weights = {str(CATEGORIES.index(n)): Fraction(str(w)) for n, w in phase.shares.items()}
        weights = {name: weight for name, weight in weights.items() if name in available}
        whole = sum(weights.values(), Fraction(0))
        shares = {name: Share(*(weight / whole,) * 3) for name, weight in weights.items()}
        made = make_up(shares, available, largest(shares, available, limit))
    else:
        weights = {name: Fraction(count) for name, count in available.items()}
        made = apportion(limit, weights, {name: (0, count) for name, count in available.items()})
    for name, count in made.items():
        counts[int(name)] = count
    return counts


def _draws(
    candidates: Candidates, rows: np.ndarray, settings: MixSettings, purpose: str, phase: str
) -> np.ndarray:
    """A draw per row that differs between the copies of one example; equal rows stand beside one another."""
    draws = draw(candidates.ids.take(rows), settings.seed, purpose, phase)
    first = np.r_[True, rows[1:] != rows[:-1]]
    starts = np.flatnonzero(first)
    nth = np.arange(len(rows)) - np.repeat(starts, np.diff(np.r_[starts, len(rows)]))
    with np.errstate(over="ignore"):
        # An odd constant of the golden ratio: copies come far apart (Knuth's multiplicative hashing).
        return np.asarray(draws + nth.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _ordered(candidates: Candidates, rows: np.ndarray, phase: Phase, settings: MixSettings) -> np.ndarray:
    draws = _draws(candidates, rows, settings, "order", phase.name)
    if phase.order == "shuffled":
        return rows[np.argsort(draws, kind="stable")]
    size = candidates.text_bytes[rows] * (1 if phase.order == "shortest_first" else -1)
    return rows[np.lexsort((draws, size))]
