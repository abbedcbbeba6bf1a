"""Measures a model on windows that it does not learn from: cross entropy, labels, bits per byte."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from models.tribal.batches import IGNORED, Collator
from models.tribal.preparing import Prepared


@dataclass(frozen=True)
class Measurement:
    """Losses in nats: `lm_loss` per token that carries loss, `label_loss` per unit of label (None without labels).

    `bits_per_byte` of the text that these tokens stand for.
    """

    lm_loss: float
    label_loss: float | None
    bits_per_byte: float


def measure_validation(model: Any, prepared: Prepared, rows: Sequence[Sequence[int]]) -> Measurement | None:
    """Measure rows of the validation split, in the numbers that the preset trains in. None when there are none."""
    import torch

    device = "cuda" if torch.cuda.is_available() else "cpu"
    half = dtype_of(prepared.preset.dtype) == "bfloat16"
    collator = prepared.collator(prepared.validation, knows_members(model))
    return measure(
        model.to(device),
        rows,
        collator,
        prepared.bytes_of,
        prepared.preset.batch_size,
        lambda: torch.autocast(device, torch.bfloat16, enabled=half),
    )


def knows_members(model: Any) -> bool:
    """Whether a model learns who speaks."""
    return "member_targets" in inspect.signature(model.forward).parameters


def dtype_of(wanted: str) -> str:
    """The numbers of the forward pass: what a preset asks for, or what auto means on this machine."""
    import torch

    if wanted != "auto":
        return {"bf16": "bfloat16", "fp32": "float32"}[wanted]
    return "bfloat16" if torch.cuda.is_available() else "float32"


def measure(
    model: Any,
    rows: Sequence[Sequence[int]],
    collator: Collator,
    bytes_of: Any,
    batch_size: int,
    context: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Measurement | None:
    """Measure packed rows of windows; None when no token of them carries loss. The model is left in training mode."""
    import torch

    nats, tokens, size, cost, known = 0.0, 0, 0, 0.0, 0.0
    sizes = torch.from_numpy(bytes_of)
    model.eval()
    for start in range(0, len(rows), batch_size):
        batch = collator(rows[start : start + batch_size])
        kept = batch["labels"][:, 1:]
        count = int((kept != IGNORED).sum())
        if count == 0:
            continue
        with torch.no_grad(), context():
            found = model(**{name: values.to(model.device) for name, values in batch.items()})
        # A model without members has one loss and no name for it.
        lm_loss = getattr(found, "lm_loss", None)
        nats += float(found.loss if lm_loss is None else lm_loss) * count
        tokens += count
        size += int(sizes[kept[kept != IGNORED]].sum())
        if getattr(found, "label_loss", None) is not None:
            weight = float(batch["member_targets"].sum())
            cost, known = cost + float(found.label_loss) * weight, known + weight
    model.train()
    if not tokens or not size:
        return None
    return Measurement(nats / tokens, cost / known if known else None, nats / size / math.log(2))
