"""A NOVA's training as its page shows it. Losses are nats: per trained token, or per unit of label."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.training_run import Need, PhaseRun


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ValidationPoint(_Shape):
    """What was held out of a phase's own kind, measured after a step; steps are numbered from 1 through all phases."""

    phase: int
    step: int
    lm_loss: float
    label_loss: float | None = None
    bits_per_byte: float


class MemberCount(_Shape):
    """A member of the tribe, with the turns and tokens that are labelled as its own in the training split."""

    name: str
    turns: int = 0
    tokens: int = 0


class EvaluatedLine(_Shape):
    """A line of the evaluation, in words; `interval` is empty where there is none."""

    name: str
    value: str
    interval: str = ""
    note: str = ""


class NovaRun(_Shape):
    """Everything the page tells. `examples` were read, of `examples_in` that the training split has.

    `unlabelled` counts turns of which nobody is known to have spoken, by reason; `strangers` turns of authors who are
    no member, by name. `before` and `after` are bits per byte of all that was held out, without and with the training.
    """

    name: str
    fingerprint: str
    corpus: str
    build: str | None
    preset: str
    folder: str
    parameters: int
    facts: tuple[tuple[str, str], ...] = ()
    phases: tuple[PhaseRun, ...] = ()
    validation: tuple[ValidationPoint, ...] = ()
    before: float | None = None
    after: float | None = None
    members: tuple[MemberCount, ...] = ()
    unlabelled: dict[str, int] = {}
    strangers: dict[str, int] = {}
    set_aside: dict[str, int] = {}
    examples: int = 0
    examples_in: int = 0
    validation_examples: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    labelled_tokens: int = 0
    evaluation: tuple[EvaluatedLine, ...] = ()
    preflight: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()
    settings: str = ""
