"""Model presets: what to train, as data. One YAML file in `schemas/presets/train/` is one preset."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.settings.model import Settings


class DemoBase(Settings):
    """A tiny Llama-shaped base model with random weights, built from this config on the spot."""

    kind: Literal["built"] = "built"
    vocab_size: int = Field(1024, ge=300, le=65_536, description="At most so many tokens are learnt.")
    hidden_size: int = Field(64, ge=8, description="Width of a layer; a multiple of heads.")
    layers: int = Field(2, ge=1, description="Number of layers.")
    heads: int = Field(4, ge=1, description="Attention heads of a layer.")
    intermediate_size: int = Field(128, ge=8, description="Width of a layer's feed-forward part.")

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        return self


class PretrainedBase(Settings):
    """A model that somebody trained: from a local folder, or fetched before into the home's Hugging Face cache."""

    kind: Literal["pretrained"] = "pretrained"
    name: str = Field(
        min_length=1, description="A hub id such as Qwen/Qwen2.5-7B-Instruct, or the path of a local folder."
    )
    revision: str | None = Field(
        None,
        pattern=r"^[0-9a-f]{40}$",
        description="Commit of the hub's repository (40 hex digits); null: the one that was fetched as main.",
    )


Base = Annotated[DemoBase | PretrainedBase, Field(discriminator="kind")]


class Phase(Settings):
    """A stretch of the curriculum; the n-th in the list trains on the examples of the corpus's phase n."""

    name: str = Field(min_length=1, max_length=60, description="How the phase is called in reports.")
    learning_rate: float = Field(
        gt=0, lt=1, description="Peak of this phase's schedule, per optimizer step (above 0, below 1)."
    )
    epochs: float = Field(1.0, gt=0, le=1000, description="Passes over this phase's examples (above 0).")


class LoraPreset(Settings):
    """A LoRA run: the base, the adapter on it, and how it is trained."""

    description: str = Field(min_length=1, description="What this preset is for, in one sentence.")
    base: Base = Field(description="The model that the adapter sits on.")
    backend: Literal["auto", "trl", "unsloth"] = Field(
        "auto", description="What trains: auto takes Unsloth where it can be imported, else TRL."
    )
    quantization: Literal["none", "nf4", "int8"] = Field(
        "none", description="How the base's weights are held: as they are, in 4 bits (NF4) or in 8 bits."
    )
    dtype: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="Numbers that the base computes in; auto: bf16 on an accelerator, else fp32."
    )
    rank: int = Field(16, ge=1, le=1024, description="Rank of the low-rank update (1 to 1024).")
    alpha: int = Field(16, ge=1, le=65_536, description="The update is scaled by alpha / rank (to 65536).")
    dropout: float = Field(
        0.0, ge=0, lt=1, description="Share of the adapter's inputs that is left out (below 1)."
    )
    target_modules: tuple[str, ...] = Field(
        min_length=1, description="Last parts of the names of the linear layers that get an adapter."
    )
    learning_rate: float = Field(
        2e-4, gt=0, lt=1, description="Peak of the schedule, per optimizer step (above 0, below 1)."
    )
    scheduler: Literal["cosine", "linear", "constant"] = Field(
        "linear", description="How the learning rate goes from its peak to 0 (constant: not at all)."
    )
    warmup_ratio: float = Field(
        0.0, ge=0, lt=1, description="Share of a phase's steps in which the learning rate rises to its peak."
    )
    max_grad_norm: float = Field(1.0, gt=0, description="Longer gradients are shortened to this norm.")
    weight_decay: float = Field(0.0, ge=0, lt=1, description="AdamW's decay of the adapter's weights.")
    epochs: float = Field(
        1.0, gt=0, le=1000, description="Passes over the examples, when there are no phases."
    )
    max_steps: int | None = Field(
        None,
        ge=1,
        le=10**9,
        description="Stop after so many optimizer steps, if that is earlier; null: never.",
    )
    batch_size: int = Field(4, ge=1, le=65_536, description="Windows in one forward pass.")
    gradient_accumulation: int = Field(
        4, ge=1, le=65_536, description="Forward passes in one optimizer step."
    )
    max_length: int = Field(512, ge=16, le=1 << 24, description="Tokens of a window at most.")
    context: int = Field(
        0, ge=0, description="Tokens of earlier turns that a window may repeat, without loss on them."
    )
    packing: bool = Field(
        False,
        description="Put several windows into one row, kept apart by their positions: less padding.",
    )
    gradient_checkpointing: bool = Field(
        False, description="Compute activations twice instead of keeping them: less memory, a third slower."
    )
    system: str | None = Field(
        None, min_length=1, description="System prompt of conversations that have none; null: no prompt."
    )
    role_names: dict[str, str] = Field(
        {},
        description="Names written in place of the roles (both or none), like {user: Drew, assistant: Ada}.",
    )
    phases: tuple[Phase, ...] = Field(
        (), max_length=20, description="The curriculum, in order; empty: one phase over everything."
    )
    checkpoint_steps: int = Field(50, ge=1, le=10**9, description="Optimizer steps between two checkpoints.")
    seed: int = Field(42, ge=0, lt=2**32, description="Fixes the adapter's first weights and the order.")

    @field_validator("base", mode="before")
    @classmethod
    def _a_mapping(cls, value: Any) -> Any:
        if isinstance(value, str):
            raise ValueError(f"it is a mapping: write base: {{kind: pretrained, name: {value}}}")
        if isinstance(value, Mapping) and "kind" not in value:
            raise ValueError(
                "its kind is missing: pretrained (a folder or hub id by name) or built (the tiny one)"
            )
        return value

    @field_validator("role_names")
    @classmethod
    def _both_or_none(cls, value: dict[str, str]) -> dict[str, str]:
        if value and (set(value) != {"user", "assistant"} or not all(n.strip() for n in value.values())):
            raise ValueError("give a name to both, user and assistant, or to neither")
        if len(set(value.values())) < len(value):
            raise ValueError("user and assistant need different names")
        return dict(sorted(value.items()))

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.context >= self.max_length:
            raise ValueError(f"context {self.context} leaves no room in max_length {self.max_length}")
        if self.quantization != "none" and isinstance(self.base, DemoBase):
            raise ValueError(
                "the demo base is too small to be quantized: quantization is for pretrained bases"
            )
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError("two phases have one name")
        return self
