"""How well alpha says who speaks: one-vs-rest AUC, accuracy, calibration. Tokens are rows, members columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.tribal.evaluation.bootstrap import Floats, draws, figure_of, ratio_figure
from models.tribal.evaluation.calibration import brier_of, errors_of_bins, expected_error, reliability_of
from schemas.nova_evaluation import (
    POSITIONS,
    DetectionFigures,
    Figure,
    MemberFigures,
    PositionFigures,
)

Integers = NDArray[np.int64]
#: Conversations times levels of scores: more different scores than fit are compared in levels of equal size.
_CELLS = 4_000_000
#: Fewer tokens of a member, or of the others, are too few for an AUC.
FEWEST_TOKENS = 10


@dataclass(frozen=True)
class Tokens:
    """Labelled tokens: `alpha` [n, members], who speaks, the conversation, the place in the turn (from 1)."""

    alpha: Floats
    member: Integers
    conversation: Integers
    place: Integers

    def taken(self, keep: NDArray[np.bool_]) -> Tokens:
        """Those that are marked."""
        return Tokens(self.alpha[keep], self.member[keep], self.conversation[keep], self.place[keep])


def detection_figures(tokens: Tokens, names: Sequence[str]) -> DetectionFigures:
    """All figures of member detection, each null with a reason where there is too little."""
    units, tokens = _numbered(tokens)
    weights = draws(units) if units else np.zeros((1, 0))
    members = [_Ordered.of(tokens, number, units) for number in range(len(names))]
    right = (
        (tokens.alpha.argmax(1) == tokens.member).astype(np.float64) if len(tokens.member) else np.zeros(0)
    )
    counts = np.bincount(tokens.member, minlength=len(names))
    return DetectionFigures(
        tokens=len(tokens.member),
        conversations=units,
        macro_auc=macro_figure(members, weights),
        accuracy=_mean_figure(right, tokens.conversation, units, weights),
        majority=float(counts.max() / counts.sum()) if counts.sum() else None,
        ece=_ece_figure(tokens, right, units, weights),
        brier=_mean_figure(brier_of(tokens.alpha, tokens.member), tokens.conversation, units, weights),
        members=tuple(
            MemberFigures(
                name=name,
                tokens=int(counts[number]),
                conversations=len(np.unique(tokens.conversation[tokens.member == number])),
                auc=macro_figure([members[number]], weights),
            )
            for number, name in enumerate(names)
        ),
        positions=tuple(
            _position(tokens, right, first, last, units, weights, len(names)) for first, last in POSITIONS
        ),
        reliability=reliability_of(tokens.alpha.max(1) if len(right) else right, right),
    )


def auc(scores: Floats, positive: NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative, ties counting half. NaN without one of either."""
    pairs = _Ordered.made(scores, positive, np.zeros(len(scores), np.int64), 1)
    return float(pairs.resampled(np.ones((1, 1)))[0])


@dataclass(frozen=True)
class _Ordered:
    """How positives and negatives of conversations are ordered: `pairs` [units, units] counts those (positive of the
    one, negative of the other) in which the positive scores higher, ties half. An AUC of any resample follows."""

    pairs: Floats
    positives: Floats
    negatives: Floats

    @classmethod
    def of(cls, tokens: Tokens, member: int, units: int) -> _Ordered:
        """One member against the rest."""
        return cls.made(tokens.alpha[:, member], tokens.member == member, tokens.conversation, units)

    @classmethod
    def made(
        cls, scores: Floats, positive: NDArray[np.bool_], conversation: Integers, units: int
    ) -> _Ordered:
        """From scores [n], who is positive [n], and the conversation of each [n], numbered below `units`."""
        level, levels = _levels(scores, units)
        cells = conversation * levels + level
        count = np.stack(
            [np.bincount(cells[some], minlength=units * levels) for some in (positive, ~positive)]
        )
        above, below = count.reshape(2, units, levels).astype(np.float64)
        under = below.cumsum(1) - below / 2  # negatives of a lower level, and half of those of the same
        return cls(above @ under.T, above.sum(1), below.sum(1))

    @property
    def enough(self) -> bool:
        """Whether there are tokens of the member and of others."""
        return bool(min(self.positives.sum(), self.negatives.sum()) >= FEWEST_TOKENS)

    @property
    def conversations(self) -> int:
        """In how many conversations the member speaks, or others do: an AUC says no more than the fewer of them."""
        return int(min(np.count_nonzero(self.positives), np.count_nonzero(self.negatives)))

    def resampled(self, weights: Floats) -> Floats:
        """The AUC of each resample [resamples]; NaN where one drew no positive or no negative."""
        drawn = np.einsum("ru,uv,rv->r", weights, self.pairs, weights, optimize=True)
        possible = (weights @ self.positives) * (weights @ self.negatives)
        found = np.divide(drawn, possible, out=np.full(len(weights), np.nan), where=possible > 0)
        return np.asarray(found, np.float64)


def _levels(scores: Floats, units: int) -> tuple[Integers, int]:
    """The rank of each score among the different ones [n], and how many ranks there are.

    Where there are too many of them, neighbours share a level and are taken to be equal: of thousands of levels, so an
    AUC is off by less than 1e-4.
    """
    different, rank = np.unique(scores, return_inverse=True)
    levels = min(len(different), max(4096, _CELLS // max(1, units)))
    if levels < len(different):
        rank = rank * levels // len(different)
    return rank.astype(np.int64), max(1, levels)


def macro_figure(members: Sequence[_Ordered], weights: Floats) -> Figure:
    """Mean AUC of the members that speak often enough, against all others."""
    able = [member for member in members if member.enough]
    if not able:
        return Figure(reason=f"fewer than {FEWEST_TOKENS} labelled tokens of the member, or of the others")
    units = weights.shape[1]
    value = float(np.mean([member.resampled(np.ones((1, units)))[0] for member in able]))
    resampled = np.stack([member.resampled(weights) for member in able])
    return figure_of(value, resampled.mean(0), min(member.conversations for member in able))


def _position(
    tokens: Tokens, right: Floats, first: int, last: int | None, units: int, weights: Floats, members: int
) -> PositionFigures:
    keep = (tokens.place >= first) & (tokens.place <= (last or np.iinfo(np.int64).max))
    some = tokens.taken(keep)
    ordered = [_Ordered.of(some, number, units) for number in range(members)]
    return PositionFigures(
        first=first,
        last=last,
        tokens=len(some.member),
        macro_auc=macro_figure(ordered, weights),
        accuracy=_mean_figure(right[keep], some.conversation, units, weights),
    )


def _numbered(tokens: Tokens) -> tuple[int, Tokens]:
    """Conversations numbered without gaps, and how many there are."""
    known, numbers = np.unique(tokens.conversation, return_inverse=True)
    return len(known), Tokens(tokens.alpha, tokens.member, numbers.astype(np.int64), tokens.place)


def _mean_figure(values: Floats, conversation: Integers, units: int, weights: Floats) -> Figure:
    if len(values) < FEWEST_TOKENS:
        return Figure(reason=f"{len(values)} labelled tokens, fewer than {FEWEST_TOKENS}")
    return ratio_figure(
        np.asarray(np.bincount(conversation, values, units), np.float64),
        np.bincount(conversation, minlength=units).astype(np.float64),
        weights,
    )


def _ece_figure(tokens: Tokens, right: Floats, units: int, weights: Floats) -> Figure:
    if len(right) < FEWEST_TOKENS:
        return Figure(reason=f"{len(right)} labelled tokens, fewer than {FEWEST_TOKENS}")
    sums = errors_of_bins(tokens.alpha.max(1), right, tokens.conversation, units)
    value = float(expected_error(sums.sum(0, keepdims=True), np.asarray([len(right)], np.float64))[0])
    sizes = np.bincount(tokens.conversation, minlength=units).astype(np.float64)
    return figure_of(value, expected_error(weights @ sums, weights @ sizes), units)
