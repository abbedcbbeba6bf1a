"""Whether alpha is as often right as it is sure: Brier score, expected calibration error, reliability."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.tribal.evaluation.bootstrap import Floats
from schemas.nova_evaluation import ReliabilityBin

#: Bins of equal width over the strongest alpha, from 0 to 1.
BINS = 15


def brier_of(alpha: Floats, member: NDArray[np.int64]) -> Floats:
    """For each token the squared distance between alpha [n, members] and who speaks [n], summed over the members."""
    spoken = np.zeros_like(alpha)
    spoken[np.arange(len(member)), member] = 1.0
    return np.asarray(((alpha - spoken) ** 2).sum(1), np.float64)


def bin_of(confidence: Floats) -> NDArray[np.int64]:
    """The bin of each confidence; 1 lies in the last."""
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def errors_of_bins(confidence: Floats, right: Floats, conversation: NDArray[np.int64], units: int) -> Floats:
    """Sum of (right - confidence) in each bin, by conversation [units, BINS]: sums of draws are those of resamples."""
    cells = conversation * BINS + bin_of(confidence)
    sums = np.bincount(cells, right - confidence, units * BINS).reshape(units, BINS)
    return np.asarray(sums, np.float64)


def expected_error(sums: Floats, tokens: Floats) -> Floats:
    """Expected calibration error of each row of bin sums [rows, BINS] over so many tokens [rows]."""
    return np.asarray(np.abs(sums).sum(1) / np.maximum(tokens, 1), np.float64)


def reliability_of(confidence: Floats, right: Floats) -> tuple[ReliabilityBin, ...]:
    """Each bin's tokens, mean confidence and share of right ones; null where a bin is empty."""
    bins = bin_of(confidence)
    counts = np.bincount(bins, minlength=BINS)
    sure, correct = np.bincount(bins, confidence, BINS), np.bincount(bins, right, BINS)
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            tokens=int(count),
            confidence=float(sure[number] / count) if count else None,
            accuracy=float(correct[number] / count) if count else None,
        )
        for number, count in enumerate(counts)
    )
