"""A trained model measured on the test split, or on validation where there is no test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from models.tribal.evaluation.detection import detection_figures
from models.tribal.evaluation.language import language_figures
from models.tribal.evaluation.reading import read_split
from models.tribal.preparing import Prepared, Split
from schemas.nova_evaluation import ConversationScore, Evaluation

#: Conversations and tokens that are measured at most: whole conversations, drawn by seed. Intervals are narrow by then.
MOST_CONVERSATIONS, MOST_TOKENS = 1000, 300_000
_SEED = 42


def evaluate_trained(
    model: Any, prepared: Prepared, heard: Callable[[int, int], None] = lambda done, total: None
) -> Evaluation | None:
    """What `evaluation.json` beside a model says; None when the corpus has neither a test nor a validation split.

    `heard` is told of windows done and in all. Equal inputs give equal figures.
    """
    held = held_out(prepared)
    return evaluate(model, prepared, held, heard)[0] if held else None


def held_out(prepared: Prepared) -> str | None:
    """The split to measure on: test, else validation, else none."""
    return next((name for name in ("test", "validation") if len(split_of(prepared, name).windows)), None)


def split_of(prepared: Prepared, name: str) -> Split:
    """A split by its name."""
    return {"train": prepared.train, "validation": prepared.validation, "test": prepared.test}[name]


def evaluate(
    model: Any,
    prepared: Prepared,
    name: str,
    heard: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Evaluation, tuple[ConversationScore, ...]]:
    """Figures of a model on a split, and what each of its conversations costs.

    Any causal model of the library will do; one without a learned detector has no member detection.
    """
    split = split_of(prepared, name)
    windows = chosen_windows(split)
    alpha = getattr(model.config, "detector", None) == "learned"
    read = read_split(model, prepared, split, windows, alpha, heard)
    scores = read.scores(split.documents)
    return (
        Evaluation(
            split=name,
            language=language_figures(scores),
            detection=detection_figures(read.labelled(len(prepared.members)), prepared.members)
            if alpha
            else None,
            windows=len(windows),
            windows_left_out=len(split.windows) - len(windows),
        ),
        scores,
    )


def chosen_windows(
    split: Split, conversations: int = MOST_CONVERSATIONS, tokens: int = MOST_TOKENS
) -> list[int]:
    """The windows of all conversations, or of those drawn by seed until there are so many, or so many tokens."""
    sizes = np.diff(split.documents.starts)
    order = np.random.default_rng(_SEED).permutation(len(sizes))
    if len(sizes) > conversations or sizes.sum() > tokens:
        few = int(np.searchsorted(np.cumsum(sizes[order]), tokens, side="right"))
        order = order[: max(1, min(conversations, few))]
    return [int(number) for number in np.flatnonzero(np.isin(split.windows[:, 0], order))]
