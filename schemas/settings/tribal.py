"""NOVA presets: the size of a tribal transformer, its members, and how it is trained. One YAML file is one preset."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from schemas.settings.model import Settings

#: What a member may be called: it becomes a key of outputs and a word on pages.
MEMBER_NAME = re.compile(r"[^\W_][\w .'-]{0,39}")


class TribalPhase(Settings):
    """A stretch of the curriculum: what it reads, how often, and with which learning rate."""

    name: str = Field(min_length=1, max_length=60, description="How the phase is called in reports.")
    learning_rate: float = Field(
        gt=0, lt=1, description="Peak of this phase's schedule, per optimizer step (above 0, below 1)."
    )
    epochs: float = Field(1.0, gt=0, le=1000, description="Passes over what the phase reads (above 0).")
    corpus_phase: int | None = Field(
        None, ge=1, le=20, description="Only examples of this phase of the corpus; null: each example once."
    )
    member: str | None = Field(
        None, description="Only conversations in which this member speaks; null: all of them."
    )
    replay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the phase's tokens that other conversations have, so that they are not forgotten.",
    )

    @model_validator(mode="after")
    def _replay_of_something(self) -> Self:
        if self.replay and self.member is None:
            raise ValueError("replay is what is mixed into a member's own conversations: name the member")
        return self


class TribalPreset(Settings):
    """A NOVA run: the members, the model's size, and how it is trained."""

    description: str = Field(min_length=1, description="What this preset is for, in one sentence.")
    members: tuple[str, ...] | None = Field(
        ("nova", "sora", "lumin", "sophia", "samanta"),
        min_length=1,
        max_length=64,
        description="The tribe in order, the core first; null: nova, then the authors of the corpus's replies.",
    )
    vocab_size: int = Field(
        2048, ge=300, le=262_144, description="Tokens of the byte-level BPE that is learned from the corpus."
    )
    d_model: int = Field(192, ge=8, le=16_384, description="Width of the model; a multiple of heads.")
    layers: int = Field(4, ge=1, le=256, description="Transformer blocks.")
    heads: int = Field(4, ge=1, le=256, description="Attention heads of a block.")
    context: int = Field(512, ge=16, le=131_072, description="Tokens that the model can look back on.")
    mixing: Literal["residual", "concat"] = Field(
        "residual",
        description="How members colour an embedding: low-rank adapters in full width, or slices side by side.",
    )
    member_rank: int = Field(32, ge=1, le=4096, description="Rank of a member's adapter (residual).")
    member_widths: tuple[int, ...] | None = Field(
        None,
        description="Width of each member's slice, summing to d_model (concat); null: two thirds for the core.",
    )
    detector_dim: int = Field(64, ge=4, le=4096, description="Width of the context detector.")
    dropout: float = Field(0.1, ge=0, lt=1, description="Share of activations left out in training.")
    dtype: Literal["auto", "bf16", "fp32"] = Field(
        "auto", description="Numbers of the forward pass; auto: bf16 on an accelerator, else fp32."
    )
    learning_rate: float = Field(
        1e-3, gt=0, lt=1, description="Peak of the schedule, per optimizer step (above 0, below 1)."
    )
    warmup_ratio: float = Field(
        0.05, ge=0, lt=1, description="Share of a phase's steps in which the learning rate rises."
    )
    final_ratio: float = Field(
        0.1, ge=0, le=1, description="What the cosine leaves of the learning rate at a phase's end (of 1)."
    )
    weight_decay: float = Field(0.1, ge=0, lt=1, description="AdamW's decay of the matrices.")
    max_grad_norm: float = Field(1.0, gt=0, description="Longer gradients are shortened to this norm.")
    epochs: float = Field(10.0, gt=0, le=1000, description="Passes over the corpus, without phases.")
    max_steps: int | None = Field(
        None, ge=1, le=10**9, description="Stop after so many optimizer steps, if earlier; null: never."
    )
    batch_size: int = Field(
        8,
        ge=1,
        le=65_536,
        description="Rows of packed windows, each of max_length tokens, in a forward pass.",
    )
    gradient_accumulation: int = Field(1, ge=1, le=65_536, description="Forward passes per step.")
    max_length: int = Field(256, ge=16, le=131_072, description="Tokens of a training window at most.")
    learn: Literal["everything", "replies"] = Field(
        "everything",
        description="What carries loss: all turns but replies that filters masked, or trainable replies only.",
    )
    label_loss_weight: float = Field(
        0.1, ge=0, le=100, description="Weight of the loss that teaches the detector who speaks; 0: none."
    )
    label_ramp: int = Field(
        8,
        ge=1,
        le=4096,
        description="Tokens of a window until its label counts in full: at first nobody can know.",
    )
    default_intensity: float | None = Field(
        1.0,
        ge=0,
        le=1,
        description="Intensity of a member's turn that says none; null: such a turn has no label.",
    )
    validation_steps: int = Field(50, ge=1, le=10**9, description="Steps between two validations.")
    patience: int | None = Field(
        5,
        ge=1,
        le=10**6,
        description="Stop a phase after so many validations without a better one; null: never.",
    )
    phases: tuple[TribalPhase, ...] = Field(
        (), max_length=20, description="The curriculum, in order; empty: one phase over everything."
    )
    checkpoint_steps: int = Field(50, ge=1, le=10**9, description="Optimizer steps between two checkpoints.")
    seed: int = Field(42, ge=0, lt=2**32, description="Fixes first weights, order and dropout.")

    @field_validator("members")
    @classmethod
    def _named(cls, value: tuple[str, ...] | None) -> tuple[str, ...] | None:
        for name in value or ():
            if not MEMBER_NAME.fullmatch(name):
                raise ValueError(f"{name[:60]!r} cannot be a member: letters first, at most 40 characters")
        if value is not None and len({name.casefold() for name in value}) < len(value):
            raise ValueError("two members have one name")
        return value

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.d_model % self.heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of heads {self.heads}")
        if self.max_length > self.context:
            raise ValueError(f"max_length {self.max_length} is longer than the context {self.context}")
        if self.member_widths is not None:
            self._check_widths(self.member_widths)
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise ValueError("two phases have one name")
        for phase in self.phases:
            if phase.member and self.members is not None and phase.member not in self.members:
                raise ValueError(
                    f"phase {phase.name} is for {phase.member!r}, which is not among the members"
                )
        return self

    def _check_widths(self, widths: tuple[int, ...]) -> None:
        if self.mixing != "concat":
            raise ValueError("member_widths are for mixing: concat")
        if self.members is not None and len(widths) != len(self.members):
            raise ValueError(f"{len(widths)} member_widths for {len(self.members)} members")
        if sum(widths) != self.d_model or min(widths) < 1:
            raise ValueError(f"member_widths sum to {sum(widths)}, not to d_model {self.d_model}")
