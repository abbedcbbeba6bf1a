"""int8 for use on a CPU: the large matrices in a quarter of the bytes, activations rounded as they come.

Decoding one token reads every weight once, so its speed is that of memory; a quarter of the bytes is nearly a quarter
of the time. Blocks and head are converted. Detector, mixing and resonance stay in fp32: they are a hundredth of the
weights, and what they decide (who speaks) is shown to people.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from models.quiet import quiet_libraries
from schemas.errors import UsageError

#: What is converted; the tied embedding stays in fp32, the head becomes a copy of its own.
PARTS = ("model.blocks", "lm_head")


def quantise(model: Any) -> Any:
    """A copy of the model (on the CPU, in eval mode) with int8 weights, scaled per output channel; `model` is left
    as it is. The copy is for inference only and is not saved: it takes less time to make than to read.

    Activations are scaled by the largest of a call, so logits depend a little on what is computed together: a cached
    token and the same token within a whole text are near, but not equal, as they are in fp32.
    Raises UsageError where this torch has no int8 kernels.
    """
    import torch
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    if torch.backends.quantized.engine == "none":
        raise UsageError(
            "this build of torch has no int8 kernels for this processor", where="--int8", fix="Leave it out."
        )
    parts = dict.fromkeys(PARTS, per_channel_dynamic_qconfig)
    copied = deepcopy(model).to("cpu", torch.float32).eval()
    with quiet_libraries():  # torch says at every call that this is to move to another package
        convert: Any = quantize_dynamic  # it has no annotations
        return convert(copied, parts, inplace=True)
