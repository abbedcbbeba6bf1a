"""Bits per byte and perplexity, from what each conversation costs.

bits per byte = sum of nats / ln 2 / sum of bytes of UTF-8, over all counted tokens; perplexity = exp(nats / tokens).
The first token of a window is foretold by nobody: neither its nats nor its bytes are counted. Marks of turns that carry
loss cost nats and have no bytes, so a model that does not see where a turn ends pays for it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from models.tribal.evaluation.bootstrap import Floats, draws, ratio_figure, seeded_ratio_figure
from schemas.nova_evaluation import ConversationScore, Figure, LanguageFigures


def bits_per_byte(nats: float, size: int) -> float:
    """Bits per byte of UTF-8. Raises ValueError without bytes."""
    if size <= 0:
        raise ValueError("no byte to divide by")
    return nats / math.log(2) / size


def language_figures(scores: Sequence[ConversationScore]) -> LanguageFigures:
    """Figures of one model, with intervals over the conversations."""
    nats, tokens, sizes = columns(scores)
    weights = draws(len(scores)) if scores else np.zeros((1, 0))
    return LanguageFigures(
        bits_per_byte=ratio_figure(nats / math.log(2), sizes, weights),
        perplexity=ratio_figure(nats, tokens, weights, told=np.exp),
        conversations=len(scores),
        tokens=int(tokens.sum()),
        bytes=int(sizes.sum()),
    )


def columns(scores: Sequence[ConversationScore]) -> tuple[Floats, Floats, Floats]:
    """Nats, tokens and bytes of the conversations, in their order [conversations] each."""
    return (
        np.asarray([score.nats for score in scores], np.float64),
        np.asarray([score.tokens for score in scores], np.float64),
        np.asarray([score.bytes for score in scores], np.float64),
    )


def seeded_bits_per_byte(runs: Sequence[Sequence[ConversationScore]]) -> Figure:
    """Mean over seeds of one arm, each run over the same conversations; the interval resamples both."""
    nats, sizes = _aligned(runs)
    return seeded_ratio_figure(nats / math.log(2), sizes)


def difference_in_bits(
    runs: Sequence[Sequence[ConversationScore]], others: Sequence[Sequence[ConversationScore]]
) -> Figure:
    """Bits per byte of `runs` less those of `others`, run by run of the same seed; the bootstrap is paired."""
    nats, sizes = _aligned([*runs, *others])
    half = len(runs)
    return seeded_ratio_figure((nats[:half] - nats[half:]) / math.log(2), sizes)


def _aligned(runs: Sequence[Sequence[ConversationScore]]) -> tuple[Floats, Floats]:
    """Nats [runs, conversations] and bytes [conversations]. Raises ValueError for runs over different texts."""
    first = [(score.conversation_id, score.tokens, score.bytes) for score in runs[0]]
    for run in runs[1:]:
        if [(score.conversation_id, score.tokens, score.bytes) for score in run] != first:
            raise ValueError("the runs were measured on different texts")
    return np.stack([columns(run)[0] for run in runs]), columns(runs[0])[2]
