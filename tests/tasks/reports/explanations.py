"""Texts taken apart by nobody: arbitrary numbers within their bounds, for pages to be drawn from."""

from __future__ import annotations

import numpy as np

from models.tribal.attribution import Attribution
from models.tribal.explaining import Explanation, Gate, Head

HOSTILE = "<script>alert(1)</script>"


def explained(labels: list[str], members: list[str], heads: int = 2) -> Explanation:
    """A text of these tokens; weights and maps are arbitrary but in their bounds."""
    random = np.random.default_rng(1)
    alpha = random.dirichlet(np.ones(len(members)), len(labels)).astype(np.float32)
    shown = min(len(labels), 64)
    weights = np.tril(random.random((shown, shown)) + 0.01)
    weights /= weights.sum(-1, keepdims=True)
    return Explanation(
        members=members,
        labels=labels,
        text=labels,
        marks=[False] * len(labels),
        alpha=alpha,
        mean=dict(zip(members, alpha.mean(0).tolist(), strict=True)),
        gates=[Gate(name, 0.5, 10.0, 0.1, 0.4, 0.08) for name in members[1:]],
        attribution=Attribution(members[-1], [0.01] * len(labels), [0.0] * len(labels), 0.2, 0.3),
        heads=[Head(0, 1, weights)] + [Head(1, head + 1, weights) for head in range(heads)],
        next=[(HOSTILE, 0.7), (" \n", 0.2), ("‹D7›", 0.1)],
    )
