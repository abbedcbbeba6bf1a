"""Which tokens made the detector weigh a member as it did: gradients of alpha, times what they are gradients of.

The detector reads tokens through a layer norm, which takes no notice of an embedding's length: gradient x input at the
embedding itself is zero whatever the text. So both are taken behind the norm. Gradient x input says what a small change
would do, and is blind where alpha is saturated; its mean along the way from no input to the text (integrated gradients)
has sums that can be checked: alpha of the text, less alpha of no input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

#: Points along the way from no input to the text (midpoints); more changes no third digit.
STEPS = 64
#: Copies of the text that the detector reads at once.
_BATCH = 8


@dataclass(frozen=True)
class Attribution:
    """What each token adds to a member's mean alpha over the text [T], by both readings.

    `integrated` sums to `reached` - `baseline` (the mean alpha, and that of no input at all) but for `missing`.
    """

    member: str
    integrated: list[float]
    local: list[float]
    baseline: float
    reached: float

    @property
    def missing(self) -> float:
        """By how much the sum is off: the way was walked in steps."""
        return sum(self.integrated) - (self.reached - self.baseline)


def attribute(model: Any, ids: Any, member: str) -> Attribution | None:
    """Trace a member's mean alpha over the ids [1, T] to its tokens; None where nothing is detected (uniform)."""
    import torch

    detector = model.model.detector
    if detector is None:
        return None
    place = model.config.members.index(member)
    with torch.no_grad():
        embedded = model.model.token_embedding(ids)
        normed = detector.norm(embedded)
        (reached,) = _alpha(detector, normed, place).tolist()
        (baseline,) = _alpha(detector, torch.zeros_like(normed), place).tolist()
    points = ((torch.arange(STEPS, device=ids.device) + 0.5) / STEPS).to(normed.dtype)
    total = torch.zeros_like(normed[0])
    for first in range(0, STEPS, _BATCH):
        some = points[first : first + _BATCH, None, None] * normed
        total += _gradient(detector, some, place).sum(0)
    local = _gradient(detector, normed, place)[0] * normed[0]
    integrated = total / STEPS * normed[0]
    return Attribution(
        member, integrated.sum(-1).tolist(), local.sum(-1).tolist(), baseline=baseline, reached=reached
    )


def _gradient(detector: Any, normed: Any, place: int) -> Any:
    """The gradient of mean alpha [B, T, d] of texts that differ in what stands behind the norm."""
    import torch

    with torch.enable_grad():
        given = normed.detach().requires_grad_()
        return torch.autograd.grad(_alpha(detector, given, place).sum(), given)[0]


def _alpha(detector: Any, normed: Any, place: int) -> Any:
    """A member's mean alpha [B] over texts that the detector sees as `normed` [B, T, d]."""
    import torch

    length = normed.shape[1]
    future = torch.full((length, length), torch.finfo(normed.dtype).min, device=normed.device).triu(1)
    hook = detector.norm.register_forward_hook(lambda module, given, out: normed)
    try:
        return detector(normed, future[None, None].to(normed.dtype), None)[..., place].exp().mean(-1)
    finally:
        hook.remove()
