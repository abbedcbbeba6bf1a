"""What a LoRA run says of itself; `train.json` beside the adapter is this, as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class PhaseResult(BaseModel):
    """A finished phase. Losses are in nats per trained token; null where there was nothing to measure.

    `examples` are rows: one that is repeated within a phase counts again. `tokens` and `trained_tokens` are those of
    one pass; `passes` is how often the rows were really read. `windows_not_reached` are left when max_steps (or less
    than an epoch) ended the phase. `batch_size` is smaller than the preset's where the memory did not do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int
    name: str
    learning_rate: float
    epochs: float
    passes: float
    steps: int
    batch_size: int
    gradient_accumulation: int
    examples: int
    examples_set_aside: dict[str, int]
    windows: int
    windows_not_reached: int
    replies: int
    tokens: int
    trained_tokens: int
    first_loss: float | None
    last_loss: float | None
    validation_windows: int
    validation_loss_before: float | None
    validation_loss_after: float | None


class LoraResult(BaseModel):
    """A finished run. Equal inputs give an equal result: no time, host or path is in it.

    Losses are cross entropies in nats per trained token; those of the run are the first phase's first and the last
    phase's last. `examples` were read, at least in part, and `windows`, `replies`, `tokens`, `trained_tokens` are what
    was read of them: each counts once, however many phases and passes read it. `examples_set_aside` counts the other
    examples of the training split by reason (`too_long`: not one trainable reply fits; `nothing_to_train`;
    `refused_by_template`; `not_reached`: the steps ended before), `replies_too_long` and `replies_left_out` the
    trainable replies of all phases that reached no window. `backend` is what really trained;
    `template` is the digest of the handshake; `marks_defused` special marks in people's texts that were made harmless.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    base_is_demo: bool
    base_revision: str | None
    base_identity: str
    preset: str
    backend: str
    quantization: str
    dtype: str
    template: str
    out_of_memory: int
    phases: tuple[PhaseResult, ...]
    steps: int
    examples: int
    examples_set_aside: dict[str, int]
    validation_examples: int
    windows: int
    replies: int
    replies_too_long: int
    replies_left_out: int
    marks_defused: int
    tokens: int
    trained_tokens: int
    vocab_size: int
    first_loss: float
    last_loss: float
    validation_loss_before: float | None
    validation_loss_after: float | None
    base_parameters: int
    trainable_parameters: int
    target_modules: tuple[str, ...]
    adapted_layers: int
    libraries: dict[str, str]
