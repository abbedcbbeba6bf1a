"""Model presets: what to train, as data. One YAML file in `schemas/presets/train/` is one preset."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.settings.model import Settings


class DemoBase(Settings):
    """A tiny Llama-shaped base model with random weights, built from this config on the spot."""

    kind: Literal["built"] = "built"
    vocab_size: int = Field(1024, ge=300, le=65_536)
    hidden_size: int = Field(64, ge=8)
    layers: int = Field(2, ge=1)
    heads: int = Field(4, ge=1)
    intermediate_size: int = Field(128, ge=8)

    @model_validator(mode="after")
    def _divisible(self) -> DemoBase:
        if self.hidden_size % self.heads:
            raise ValueError(f"hidden_size {self.hidden_size} is not a multiple of heads {self.heads}")
        return self


class LoraPreset(Settings):
    """A LoRA run. Units: `learning_rate` per optimizer step, `max_length` in tokens, `max_steps` optimizer steps."""

    description: str
    base: DemoBase
    rank: int = Field(16, ge=1, le=1024)
    alpha: int = Field(16, ge=1)
    dropout: float = Field(0.0, ge=0, lt=1)
    target_modules: tuple[str, ...] = Field(min_length=1)
    learning_rate: float = Field(2e-4, gt=0, lt=1)
    batch_size: int = Field(4, ge=1)
    gradient_accumulation: int = Field(4, ge=1)
    max_length: int = Field(512, ge=16)
    max_steps: int = Field(20, ge=1)
    seed: int = Field(42, ge=0)
