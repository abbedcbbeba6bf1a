"""How much memory a training takes, part by part. Estimates: see benchmarks/RESULTS.md."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from models.lora.shapes import BaseShape
from models.training.device import CPU
from models.training.schedule import Batch
from schemas.settings import LoraPreset

#: Bytes per weight of a quantized layer: NF4 with doubly quantized scales per 64 weights; int8 with a scale per row.
_QUANTIZED = {"nf4": 0.5 + 1 / 64 + 4 / (64 * 256), "int8": 1.0}
#: Tokens and vocabulary entries of the tile in which TRL computes the loss; never the whole of the logits.
_TILE_TOKENS, _TILE_VOCABULARY = 4096, 8192
#: On a CPU the C library's heap keeps holes that the next aligned tensor does not fit into: on top of what is alive,
#: about so many times what one layer takes (measured with glibc 2.36; with every tensor mapped by itself it is 0).
_HOLES = 2.5


class Memory(BaseModel):
    """Bytes by part, on top of what the process holds before there is a model. `holes`: of a heap, on a CPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weights: int
    adapter: int
    gradients: int
    optimizer: int
    activations: int
    logits: int
    holes: int = 0

    @property
    def total(self) -> int:
        """All parts together."""
        return sum(getattr(self, name) for name in type(self).model_fields)


def estimate_memory(
    shape: BaseShape,
    preset: LoraPreset,
    batch: Batch,
    longest: int,
    bytes_per_number: int,
    device: str | None = None,
) -> Memory:
    """Peak bytes of a step over `batch.size` windows of `longest` tokens; `device` is CPU or an accelerator's name."""
    per_weight = _QUANTIZED.get(preset.quantization, bytes_per_number)
    tokens = batch.size * (preset.max_length if preset.packing else longest)
    tile = min(tokens, _TILE_TOKENS) * min(shape.vocabulary, _TILE_VOCABULARY)
    # bf16 on a CPU is computed in fp32 underneath.
    width = 4 if device == CPU else bytes_per_number
    return Memory(
        weights=int(shape.linear * per_weight + shape.other * bytes_per_number),
        adapter=4 * shape.adapter,
        gradients=4 * shape.adapter,
        optimizer=8 * shape.adapter,
        activations=_activations(shape, preset, tokens, width),
        logits=tile * (bytes_per_number + 3 * 4),
        holes=int(_HOLES * (_inputs(shape, tokens, width) + _way_back(shape, tokens, width)))
        if device == CPU
        else 0,
    )


def _activations(shape: BaseShape, preset: LoraPreset, tokens: int, bytes_per_number: int) -> int:
    """What a step keeps for its gradients: per token and layer the inputs of each part; with checkpointing the
    layers' inputs and one layer whole. On top of it what one layer's way back holds for a moment."""
    layer = _inputs(shape, tokens, bytes_per_number)
    layer += tokens * 8 * preset.rank * 4  # the low-rank middle of each adapter, in fp32
    if preset.quantization != "none" or bytes_per_number == 2:
        layer += tokens * (3 * shape.hidden + shape.inner) * 4  # inputs of adapters, cast to fp32
    back = _way_back(shape, tokens, bytes_per_number)
    if preset.gradient_checkpointing:
        return int(shape.layers * tokens * shape.hidden * bytes_per_number + layer + back)
    return int(shape.layers * layer + back)


def _inputs(shape: BaseShape, tokens: int, bytes_per_number: int) -> int:
    """What one layer keeps for its gradients."""
    return tokens * (9 * shape.hidden + 4 * shape.values + 5 * shape.inner) * bytes_per_number


def _way_back(shape: BaseShape, tokens: int, bytes_per_number: int) -> int:
    """What one layer's way back holds for a moment."""
    return tokens * (6 * shape.hidden + 4 * shape.inner) * bytes_per_number
