"""A NOVA's training as its page shows it. Losses are nats: per trained token, or per unit of label."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from schemas.training_run import Need, PhaseRun


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ValidationPoint(_Shape):
    """What was held out, measured after a step; steps are numbered from 1 through all phases."""

    step: int
    lm_loss: float
    label_loss: float | None = None
    bits_per_byte: float


class MemberCount(_Shape):
    """A member of the tribe, with the turns and tokens that are labelled as its own in the training split."""

    name: str
    turns: int = 0
    tokens: int = 0


class Metric(_Shape):
    """A figure with its interval (null: none was computed); `note` says of what."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    unit: str = ""
    note: str = ""


class EvaluationSection(_Shape):
    """Figures that belong together, below one heading; `text` says what they mean."""

    title: str
    text: str = ""
    metrics: tuple[Metric, ...] = ()


class Evaluation(_Shape):
    """What was measured of a NOVA that stands: `evaluation.json` in its run's log. `notes` are what to mind."""

    sections: tuple[EvaluationSection, ...] = ()
    notes: tuple[str, ...] = ()


class NovaRun(_Shape):
    """Everything the page tells. `examples` were read, of `examples_in` that the training split has.

    `unlabelled` counts turns of which nobody is known to have spoken, by reason; `strangers` turns of authors who are
    no member, by name.
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
    evaluation: Evaluation = Evaluation()
    preflight: tuple[Need, ...] = ()
    notes: tuple[str, ...] = ()
    settings: str = ""
