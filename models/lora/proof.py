"""Proofs: the adapter sits where it should and has its size; it moved; what was written is what was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora.loading import HEAD
from schemas.errors import StageFailed
from schemas.settings import LoraPreset

#: Largest difference between logits of the trained and of the reread adapter.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class AdapterShape:
    """Sizes of a model with its adapter, in weights (a quantized one counts as one)."""

    adapted_layers: int
    base_parameters: int
    trainable_parameters: int


def check_adapter(model: Any, preset: LoraPreset) -> AdapterShape:
    """Adapters sit on exactly the targets, rank * (in + out) weights each, nothing else learns; else StageFailed."""
    import torch

    wanted: dict[str, int] = {}
    found: dict[str, int] = {}
    base = 0
    for name, module in model.get_base_model().named_modules():
        inner = getattr(module, "base_layer", module)
        last = name.rsplit(".", 1)[-1]
        if isinstance(inner, torch.nn.Linear) and last in preset.target_modules and last != HEAD:
            wanted[name] = preset.rank * (inner.in_features + inner.out_features)
        if hasattr(module, "lora_A"):
            found[name] = sum(w.numel() for w in (*module.lora_A.parameters(), *module.lora_B.parameters()))
    for name, weight in model.named_parameters():
        base += 0 if "lora_" in name else count_weights(weight)
    trainable = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    if found != wanted or trainable != sum(wanted.values()):
        raise StageFailed(
            f"the adapter is not what the preset asks for: {len(found)} of {len(wanted)} layers, "
            f"{trainable} of {sum(wanted.values())} weights"
        )
    return AdapterShape(len(found), base, trainable)


def check_moved(model: Any) -> None:
    """The adapter changes what the base says: B began at 0, and an adapter with B = 0 changes nothing."""
    moved = max(float(w.abs().max()) for name, w in model.named_parameters() if "lora_B" in name)
    if not moved > 0:
        raise StageFailed("the adapter did not change in training", fix="Raise learning_rate in the preset.")


def check_reread(model: Any, adapter: Path, input_ids: Sequence[int]) -> None:
    """What was written gives the logits of what was trained, to TOLERANCE; no second base is loaded for it."""
    import torch

    ids = torch.tensor([list(input_ids)], device=model.device)
    model.eval()
    with torch.inference_mode():
        ours = model(input_ids=ids).logits.float()
        model.load_adapter(adapter, adapter_name="reread", local_files_only=True)
        model.set_adapter("reread")
        theirs = model(input_ids=ids).logits.float()
    model.set_adapter("default")
    model.delete_adapter("reread")
    difference = float((ours - theirs).abs().max())
    if not difference <= TOLERANCE:
        raise StageFailed(f"the saved adapter answers differently from the trained one (by {difference:.1e})")


def count_weights(weight: Any) -> int:
    """Weights of a parameter as they were before quantization: two of 4 bits lie in a byte."""
    state = getattr(weight, "quant_state", None)
    if state is not None and state.shape is not None:
        number = 1
        for size in state.shape:
            number *= size
        return number
    count: int = weight.numel()
    return count
