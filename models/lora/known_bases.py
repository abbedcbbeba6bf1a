"""Sizes of the bases that the shipped presets name, so that their memory can be told before anything is fetched.

The figures are those of the models' own config.json. Importing this loads no model library.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.lora.memory import Memory, estimate_memory
from models.lora.shapes import BaseShape
from models.training.schedule import Batch
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase


@dataclass(frozen=True)
class Dimensions:
    """What a Llama-like model's config says; `head` is the width of an attention head."""

    vocabulary: int
    hidden: int
    inner: int
    layers: int
    heads: int
    key_heads: int
    head: int
    positions: int
    attention_bias: bool = False
    head_norms: bool = False
    tied: bool = False


KNOWN: dict[str, Dimensions] = {
    "meta-llama/Meta-Llama-3-8B-Instruct": Dimensions(128_256, 4096, 14_336, 32, 32, 8, 128, 8192),
    "mistralai/Mistral-7B-Instruct-v0.3": Dimensions(32_768, 4096, 14_336, 32, 32, 8, 128, 32_768),
    "mistralai/Mistral-7B-Instruct-v0.2": Dimensions(32_000, 4096, 14_336, 32, 32, 8, 128, 32_768),
    "Qwen/Qwen2.5-7B-Instruct": Dimensions(
        152_064, 3584, 18_944, 28, 28, 4, 128, 32_768, attention_bias=True
    ),
    "Qwen/Qwen3-8B": Dimensions(151_936, 4096, 12_288, 36, 32, 8, 128, 40_960, head_norms=True),
}


def preset_memory(preset: LoraPreset) -> Memory | None:
    """Memory by part of a training with its longest windows, on an accelerator; None for a base that is not known."""
    if isinstance(preset.base, DemoBase):
        base = preset.base
        sizes = Dimensions(
            base.vocab_size, base.hidden_size, base.intermediate_size, base.layers,
            base.heads, base.heads, base.hidden_size // base.heads, preset.max_length,
        )  # fmt: skip
    elif preset.base.name in KNOWN:
        sizes = KNOWN[preset.base.name]
    else:
        return None
    width = 4 if preset.dtype == "fp32" else 2
    batch = Batch(preset.batch_size, preset.gradient_accumulation)
    return estimate_memory(known_shape(sizes, preset), preset, batch, preset.max_length, width)


def download_bytes(preset: LoraPreset) -> int | None:
    """What a base's weights take to download, at two bytes each as the hub has them; None where it is not known."""
    if isinstance(preset.base, DemoBase) or preset.base.name not in KNOWN:
        return None
    shape = known_shape(KNOWN[preset.base.name], preset)
    return 2 * (shape.linear + shape.other)


def known_shape(sizes: Dimensions, preset: LoraPreset) -> BaseShape:
    """The shape that `read_shape` would find in the base's folder."""
    queries, values = sizes.heads * sizes.head, sizes.key_heads * sizes.head
    linears = {
        "q_proj": (sizes.hidden, queries),
        "k_proj": (sizes.hidden, values),
        "v_proj": (sizes.hidden, values),
        "o_proj": (queries, sizes.hidden),
        "gate_proj": (sizes.hidden, sizes.inner),
        "up_proj": (sizes.hidden, sizes.inner),
        "down_proj": (sizes.inner, sizes.hidden),
    }
    other = 2 * sizes.hidden * sizes.layers + sizes.hidden  # norms
    other += sizes.vocabulary * sizes.hidden * (1 if sizes.tied else 2)
    other += (queries + 2 * values) * sizes.layers if sizes.attention_bias else 0
    other += 2 * sizes.head * sizes.layers if sizes.head_norms else 0
    adapted = [sum(linears[name]) for name in preset.target_modules if name in linears]
    return BaseShape(
        linear=sizes.layers * sum(a * b for a, b in linears.values()),
        other=other,
        adapter=sizes.layers * preset.rank * sum(adapted),
        layers=sizes.layers,
        hidden=sizes.hidden,
        inner=sizes.inner,
        values=values,
        vocabulary=sizes.vocabulary,
        positions=sizes.positions,
    )
