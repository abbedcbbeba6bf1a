"""Loads the base as the preset asks, puts the adapter on it, and proves that what was asked for is so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.lora.reading import read_weights
from schemas.errors import SettingsError, StageFailed
from schemas.settings import LoraPreset

_LAYERS = {"nf4": "Linear4bit", "int8": "Linear8bitLt"}
#: TRL computes the loss from its weight directly and would never train an adapter on it.
HEAD = "lm_head"


def torch_dtype(preset: LoraPreset) -> Any:
    """What the base computes in. `auto` is bf16 on an accelerator and fp32 without one."""
    import torch

    named = {"bf16": torch.bfloat16, "fp32": torch.float32}
    if preset.dtype != "auto":
        return named[preset.dtype]
    return torch.bfloat16 if torch.cuda.is_available() else torch.float32


def load_base(preset: LoraPreset, folder: Path) -> Any:
    """The base in the numbers and bits that the preset asks for. Raises StageFailed when it came otherwise."""
    import torch

    dtype = torch_dtype(preset)
    device = {"": 0} if torch.cuda.is_available() else None
    model = read_weights(
        folder, dtype=dtype, device_map=device, quantization_config=_quantization(preset, dtype)
    )
    model.config.use_cache = False
    check_loaded(model, preset)
    keep_gradients_right(model)
    return model


def keep_gradients_right(model: Any) -> int:
    """On a CPU with AVX512-BF16, forbid bitsandbytes to repack 4-bit weights in a forward without gradients.

    It repacks them for good, and the gradients of everything below are wrong from then on. Returns how many layers
    were set.
    """
    import bitsandbytes

    layers = [module for module in model.modules() if isinstance(module, bitsandbytes.nn.Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)


def check_loaded(model: Any, preset: LoraPreset) -> None:
    """Every linear layer but the head is quantized as asked (or none is), the rest has the asked numbers."""
    import bitsandbytes
    import torch

    dtype = torch_dtype(preset)
    wanted = _LAYERS.get(preset.quantization)
    for name, module in model.named_modules():
        if not isinstance(module, torch.nn.Linear) or name.rsplit(".", 1)[-1] == HEAD:
            continue
        is_4bit = isinstance(module, bitsandbytes.nn.Linear4bit)
        is_8bit = isinstance(module, bitsandbytes.nn.Linear8bitLt)
        found = "Linear4bit" if is_4bit else "Linear8bitLt" if is_8bit else None
        if (
            found != wanted
            or (is_4bit and not _is_nf4(module))
            or (is_8bit and module.weight.dtype != torch.int8)
        ):
            raise StageFailed(
                f"the base was not loaded as asked: {name} is {type(module).__name__} "
                f"({module.weight.dtype}) with quantization {preset.quantization}",
                fix="This version of transformers or bitsandbytes ignores the setting; see constraints.txt.",
            )
    for name, weight in model.named_parameters():
        if weight.is_floating_point() and weight.dim() > 1 and weight.dtype != dtype:
            raise StageFailed(f"the base was not loaded as asked: {name} is {weight.dtype}, not {dtype}")


def put_adapter(model: Any, preset: LoraPreset, adapter: Path | None) -> Any:
    """A PEFT model: with a fresh adapter (its first weights fixed by the seed), or with the one in a folder."""
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model

    check_targets(model, preset.target_modules)
    if adapter is not None:
        put = PeftModel.from_pretrained(model, adapter, is_trainable=True, local_files_only=True)
    else:
        torch.manual_seed(preset.seed)
        put = get_peft_model(
            model,
            LoraConfig(
                r=preset.rank,
                lora_alpha=preset.alpha,
                lora_dropout=preset.dropout,
                target_modules=list(preset.target_modules),
                exclude_modules=HEAD,
                bias="none",
                task_type="CAUSAL_LM",
            ),
        )
    for weight in put.parameters():
        if weight.requires_grad:  # steps of 1e-5 vanish in bf16
            weight.data = weight.data.float()
    return put


def check_targets(model: Any, targets: tuple[str, ...]) -> None:
    """Every target must name linear layers of the base. Raises SettingsError that lists those there are."""
    import torch

    linear = {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    linear.discard(HEAD)
    unknown = [target for target in targets if target not in linear]
    if unknown:
        raise SettingsError(
            f"target_modules: the base has no layer {unknown[0]!r} that an adapter can sit on",
            fix=f"There are: {', '.join(sorted(linear))}.",
        )


def _is_nf4(module: Any) -> bool:
    state = getattr(module.weight, "quant_state", None)
    return state is not None and state.quant_type == "nf4"


def _quantization(preset: LoraPreset, dtype: Any) -> Any:
    if preset.quantization == "none":
        return None
    from transformers import BitsAndBytesConfig

    if preset.quantization == "int8":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
