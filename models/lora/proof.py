"""After training: does the adapter sit where it should, is its size right, is it the same when read back?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import StageFailed
from schemas.settings import LoraPreset

#: Largest difference between logits of the trained and of the reloaded model (float32).
TOLERANCE = 1e-5


@dataclass(frozen=True)
class AdapterShape:
    """Sizes of a trained model."""

    adapted_layers: int
    base_parameters: int
    trainable_parameters: int


def check_adapter(model: Any, preset: LoraPreset) -> AdapterShape:
    """Adapters sit on exactly the targets, rank * (in + out) weights each, and moved; else StageFailed."""
    import torch

    wanted: dict[str, int] = {}
    found: dict[str, int] = {}
    moved = 0.0
    for name, module in model.get_base_model().named_modules():
        inner = getattr(module, "base_layer", module)
        if isinstance(inner, torch.nn.Linear) and name.rsplit(".", 1)[-1] in preset.target_modules:
            wanted[name] = preset.rank * (inner.in_features + inner.out_features)
        if hasattr(module, "lora_A"):
            weights = [*module.lora_A.parameters(), *module.lora_B.parameters()]
            found[name] = sum(w.numel() for w in weights)
            moved = max(moved, *(float(w.abs().max()) for w in module.lora_B.parameters()))
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    if found != wanted or trainable != sum(wanted.values()):
        raise StageFailed(
            f"the adapter is not what the preset asks for: {len(found)} of {len(wanted)} layers, "
            f"{trainable} of {sum(wanted.values())} weights"
        )
    if not moved > 0:  # B begins at 0, and an adapter with B = 0 changes nothing
        raise StageFailed("the adapter did not change in training", fix="Raise learning_rate in the preset.")
    total = sum(p.numel() for p in model.parameters())
    return AdapterShape(len(found), total - trainable, trainable)


def check_reload(model: Any, base: Path, adapter: Path, input_ids: Sequence[int]) -> None:
    """What was written gives the logits of what was trained, to TOLERANCE. Raises StageFailed."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    fresh = AutoModelForCausalLM.from_pretrained(base, local_files_only=True)
    reloaded = PeftModel.from_pretrained(fresh, adapter, local_files_only=True).to(model.device).eval()
    ids = torch.tensor([list(input_ids)], device=model.device)
    with torch.inference_mode():
        ours = model.eval()(input_ids=ids).logits.float()
        theirs = reloaded(input_ids=ids).logits.float()
    difference = float((ours - theirs).abs().max())
    if not difference <= TOLERANCE:
        raise StageFailed(f"the saved adapter answers differently from the trained one (by {difference:.1e})")
