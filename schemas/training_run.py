"""A training run as its report shows it, whatever trained it. Losses are nats per trained token."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StepPoint(_Shape):
    """One optimizer step; steps are numbered from 1 through all phases."""

    step: int
    loss: float
    learning_rate: float | None = None


class PhaseRun(_Shape):
    """One phase: what it trained on, and what came of it. `examples` are rows: one may stand in several phases;
    `passes` is how often they were really read."""

    name: str
    steps: tuple[StepPoint, ...] = ()
    examples: int = 0
    windows: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    learning_rate: float | None = None
    passes: float | None = None
    validation_before: float | None = None
    validation_after: float | None = None


class Piece(_Shape):
    """A stretch of decoded tokens, and whether loss lies on them."""

    text: str
    learned: bool


class ShownWindow(_Shape):
    """A training window decoded from its token ids, as the model reads it."""

    example_id: str
    phase: int
    pieces: tuple[Piece, ...]


class Need(_Shape):
    """A line of the preflight: what was estimated and, where it is known, what was measured. Bytes, or plain text."""

    part: str
    estimated: float | None = None
    measured: float | None = None
    unit: str = "bytes"
    note: str = ""


class SaidAnswer(_Shape):
    """An answer to a prompt; `stopped`: the model ended it itself."""

    text: str
    tokens: int
    stopped: bool


class SaidSample(_Shape):
    """A prompt, answered by the base alone and with the adapter."""

    prompt: str
    base: SaidAnswer
    adapter: SaidAnswer


class TrainingRun(_Shape):
    """Everything the page tells. `examples` were read, of `examples_in` that the training split has: distinct ones."""

    name: str
    fingerprint: str
    corpus: str
    build: str | None
    preset: str
    base: str
    base_is_demo: bool
    backend: str
    folder: str
    facts: tuple[tuple[str, str], ...] = ()
    phases: tuple[PhaseRun, ...] = ()
    set_aside: dict[str, int] = {}
    examples: int = 0
    examples_in: int = 0
    validation_examples: int = 0
    replies: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    shown: tuple[ShownWindow, ...] = ()
    preflight: tuple[Need, ...] = ()
    samples: tuple[SaidSample, ...] = ()
    notes: tuple[str, ...] = ()
    settings: str = ""
