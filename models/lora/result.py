"""What a LoRA run says of itself; `train.json` beside the adapter is this, as JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class LoraResult(BaseModel):
    """A finished run. Equal inputs give an equal result: no time, host or path is in it.

    Losses are cross entropies in nats per trained token. `examples` and `replies` were trained on;
    `examples_set_aside` counts the other examples by reason (`too_long`: not one trainable reply fits;
    `nothing_to_train`), `replies_left_out` the trainable replies that lay behind the cut of a long example.
    `tokens` and `trained_tokens` are those of one pass over the training set.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    base_is_demo: bool
    preset: str
    steps: int
    examples: int
    examples_set_aside: dict[str, int]
    validation_examples: int
    replies: int
    replies_left_out: int
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
