"""Twenty windows as the model will read them, decoded, with what carries loss told apart from what does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from models.lora.rendering import IGNORED

SHOWN = 20


class Piece(BaseModel):
    """A stretch of a window: its text as decoded, and whether it carries loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    trained: bool


class Shown(BaseModel):
    """A window, decoded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    example_id: str
    phase: int
    tokens: int
    trained_tokens: int
    pieces: tuple[Piece, ...]


def show_windows(windows: Any, tokenizer: Any, count: int = SHOWN) -> list[Shown]:
    """`count` windows at equal distances through the training set, the first one among them."""
    number = min(count, len(windows))
    rows = [windows[i * len(windows) // number] for i in range(number)]
    return [_show(row, tokenizer) for row in rows]


def _show(row: Any, tokenizer: Any) -> Shown:
    pieces = tuple(
        Piece(text=tokenizer.decode(ids, skip_special_tokens=False), trained=trained)
        for ids, trained in _stretches(row["input_ids"], row["labels"])
    )
    carrying = sum(label != IGNORED for label in row["labels"])
    return Shown(
        example_id=row["example_id"],
        phase=row["phase"],
        tokens=len(row["labels"]),
        trained_tokens=carrying,
        pieces=pieces,
    )


def _stretches(ids: Sequence[int], labels: Sequence[int]) -> list[tuple[list[int], bool]]:
    found: list[tuple[list[int], bool]] = []
    for token, label in zip(ids, labels, strict=True):
        trained = label != IGNORED
        if not found or found[-1][1] != trained:
            found.append(([], trained))
        found[-1][0].append(token)
    return found
