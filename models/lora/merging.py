"""Merging an adapter into its base: one model in full precision, proven to say the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from models.lora.modelfile import FILE, write_modelfile
from models.lora.opening import Opened, open_adapter
from models.lora.reading import read_weights
from models.lora.sampling import PROMPTS
from models.training.device import free_memory
from schemas.errors import StageFailed, UsageError

#: Largest difference between logits of base + adapter and of the merged model, both in float32.
TOLERANCE = 1e-3
DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


class Merged(BaseModel):
    """What the merge was found to be.

    `difference` is the largest absolute difference of logits between base + adapter and the merged model in float32;
    `saved_difference` the one to the model as it was saved in `dtype` and read back; `same_choice` the share of
    positions at which the saved model's likeliest token is the same. `modelfile` says why there is none, or is null.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dtype: str
    parameters: int = Field(ge=1)
    difference: float
    saved_difference: float
    same_choice: float
    positions: int
    modelfile: str | None


def merge(base: Path, adapter: Path, out: Path, dtype: str = "fp32", digest: str | None = None) -> Merged:
    """Write base and adapter as one model to the empty folder `out`, with tokenizer, template and Modelfile.

    The base is read unquantised and merged in float32 whatever it was trained in; `dtype` is that of the files.
    Raises StageFailed when the merged model answers differently from base + adapter, or when templates differ.
    """
    import torch

    _check_memory(base)
    opened = open_adapter(base, adapter, digest)
    _refuse_quantised(opened.model)
    asked = [opened.ask(prompt) for prompt in PROMPTS]
    before = [_logits(opened.model, ids) for ids in asked]
    model = opened.model.merge_and_unload(safe_merge=True)
    difference = _largest(before, [_logits(model, ids) for ids in asked])
    if not difference <= TOLERANCE:
        raise StageFailed(
            f"the merged model answers differently from base and adapter (by {difference:.1e})",
            fix="Use the adapter without merging it.",
        )
    parameters = sum(weights.numel() for weights in model.parameters())
    model.to(getattr(torch, DTYPES[dtype])).save_pretrained(out)
    opened.tokenizer.save_pretrained(out)
    opened.template.write(out)
    without, device = _modelfile(opened, out), opened.device
    del model, opened  # one copy at a time has to fit into memory
    saved = read_weights(out, dtype=torch.float32)
    saved = saved.to(device).eval()
    after = [_logits(saved, ids) for ids in asked]
    same = torch.cat([a.argmax(-1) == b.argmax(-1) for a, b in zip(before, after, strict=True)])
    return Merged(
        dtype=dtype,
        parameters=parameters,
        difference=difference,
        saved_difference=_largest(before, after),
        same_choice=float(same.float().mean()),
        positions=len(same),
        modelfile=without,
    )


def _modelfile(opened: Opened, out: Path) -> str | None:
    """Write the Modelfile; returns why there is none when Ollama's language cannot say the template."""
    try:
        text = write_modelfile(opened.template, opened.tokenizer, ".")
    except StageFailed as refused:
        return str(refused)
    (out / FILE).write_text(text, "utf-8")
    return None


def _check_memory(base: Path) -> None:
    """The base in float32 must fit. Raises UsageError before anything is loaded."""
    config = json.loads((base / "config.json").read_text("utf-8"))
    width = 4 if "float32" in str(config.get("dtype") or config.get("torch_dtype") or "float32") else 2
    needed = sum(file.stat().st_size for file in base.glob("*.safetensors")) // width * 4
    device, free = free_memory()
    if free is not None and needed > free:
        raise UsageError(
            f"merging in full precision takes about {needed / 2**30:.1f} GiB, {device} has {free / 2**30:.1f} free",
            where=str(base),
            fix="Merge on a larger machine, or use the adapter unmerged (`vatra merge NAME --modelfile-only`).",
        )


def _refuse_quantised(model: Any) -> None:
    import torch

    for name, weights in model.named_parameters():
        if weights.dtype != torch.float32:
            raise StageFailed(
                f"the base is not in full precision: {name} is {weights.dtype}",
                fix="Merge with the unquantised base.",
            )


def _logits(model: Any, ids: list[int]) -> Any:
    import torch

    with torch.inference_mode():
        return model(input_ids=torch.tensor([ids], device=model.device)).logits[0].float()


def _largest(ours: list[Any], theirs: list[Any]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(ours, theirs, strict=True))
