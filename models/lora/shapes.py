"""The sizes of a base that memory depends on, read from its config alone: no weight is loaded for a plan."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora.loading import HEAD, check_targets
from schemas.errors import SettingsError
from schemas.settings import LoraPreset


@dataclass(frozen=True)
class BaseShape:
    """`linear` weights can be quantized, `other` (embeddings, norms, head) cannot; `adapter` is what will be trained.

    `hidden`, `inner`, `values` are the widths of a layer, its feed-forward part, and its keys and values.
    """

    linear: int
    other: int
    adapter: int
    layers: int
    hidden: int
    inner: int
    values: int
    vocabulary: int
    positions: int


def read_shape(folder: Path, preset: LoraPreset) -> BaseShape:
    """Sizes of the base in a folder. Raises SettingsError for targets it has not, or windows longer than it reads."""
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        with init_empty_weights():
            model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise SettingsError(
            f"the base is not a language model that can be loaded: {str(error).splitlines()[0][:200]}",
            where=str(folder),
            fix="Take a base that transformers knows, whole and unchanged.",
        ) from None
    check_targets(model, preset.target_modules)
    linear = adapter = 0
    for name, module in model.named_modules():
        last = name.rsplit(".", 1)[-1]
        if isinstance(module, torch.nn.Linear) and last != HEAD:
            linear += module.weight.numel()
            if last in preset.target_modules:
                adapter += preset.rank * (module.in_features + module.out_features)
    text = config.get_text_config()
    shape = _shape(text, linear, sum(w.numel() for w in model.parameters()) - linear, adapter)
    if preset.max_length > shape.positions:
        raise SettingsError(
            f"max_length {preset.max_length} is more than the base can read: {shape.positions} tokens",
            fix="Lower max_length in the model preset.",
        )
    return shape


def _shape(text: Any, linear: int, other: int, adapter: int) -> BaseShape:
    heads = text.num_attention_heads
    head = getattr(text, "head_dim", None) or text.hidden_size // heads
    return BaseShape(
        linear=linear,
        other=other,
        adapter=adapter,
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        inner=getattr(text, "intermediate_size", None) or 4 * text.hidden_size,
        values=head * (getattr(text, "num_key_value_heads", None) or heads),
        vocabulary=text.vocab_size,
        positions=getattr(text, "max_position_embeddings", None) or 1 << 30,
    )
