"""What a NOVA run says of itself; `train.json` beside the model is this, as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from models.tribal.plan import LabelledTurns


class Measured(BaseModel):
    """A validation: losses in nats per token that carries loss and per unit of label; bits per byte of text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    lm_loss: float
    label_loss: float | None
    bits_per_byte: float


class TribalPhaseResult(BaseModel):
    """A finished phase; null where there was nothing to measure.

    `examples`, `windows`, `tokens` and `trained_tokens` are what was read of the phase's own, each once. `kept_step` is
    the step whose weights it ended with: that of its best validation, where there is a validation split. A phase with
    fewer steps than planned was ended because validations no longer got better. `batch_size` is smaller than the
    preset's where the memory did not do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    learning_rate: float
    epochs: float
    steps_planned: int
    steps: int
    kept_step: int
    batch_size: int
    gradient_accumulation: int
    rows: int
    examples: int
    windows: int
    tokens: int
    trained_tokens: int
    first_loss: float | None
    last_loss: float | None
    first_lm_loss: float | None
    last_lm_loss: float | None
    validation_windows: int
    before: Measured | None
    after: Measured | None


class TribalResult(BaseModel):
    """A finished run. Equal inputs give an equal result: no time, host or path is in it.

    `examples`, `windows`, `tokens` and `trained_tokens` are what was read, each once however many phases and passes
    read it; `examples_set_aside` counts the other examples of the training split by reason. Losses of the run are the
    first phase's first and the last phase's last; `before` and `after` are of the whole validation split, those of a
    phase of its own kind of conversations there. `notes` are what a person should know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str
    members: tuple[str, ...]
    mixing: str
    dtype: str
    parameters: int
    vocab_size: int
    context: int
    out_of_memory: int
    phases: tuple[TribalPhaseResult, ...]
    steps: int
    examples: int
    examples_set_aside: dict[str, int]
    windows: int
    tokens: int
    trained_tokens: int
    labels: LabelledTurns
    validation_examples: int
    validation_windows: int
    before: Measured | None
    after: Measured | None
    first_loss: float
    last_loss: float
    first_lm_loss: float
    last_lm_loss: float
    notes: tuple[str, ...]
    libraries: dict[str, str]
