"""Tribal resonance: before the output head, what belongs to a member sounds louder where it speaks.

The first drawing raised a member's channels by 30% of alpha `if alpha > 0.5`. A branch on a tensor fails for batches
and jumps; here the threshold is a gate that learns where it opens and how steeply, and never exceeds the same limit.
"""

from __future__ import annotations

import torch
from torch import nn

from models.tribal.configuration import NovaConfig
from models.tribal.mixing import spread

#: Where a gate begins: half open at the alpha of the first drawing.
THRESHOLD, STEEPNESS = 0.5, 10.0


class TribalResonance(nn.Module):
    """hidden * (1 + boost), 0 <= boost <= limit; members beside the core share it by their weights.

    In concat a member's channels are its slice; in residual they are learned, one profile per member.
    """

    def __init__(self, config: NovaConfig) -> None:
        super().__init__()
        self.limit, slots = config.resonance_limit, len(config.members) - 1
        self.widths = list(config.member_widths) if config.member_widths is not None else None
        self.threshold = nn.Parameter(torch.full((slots,), THRESHOLD))
        self.steepness = nn.Parameter(torch.full((slots,), STEEPNESS))
        if self.widths is None:
            self.profile = nn.Parameter(torch.zeros(slots, config.d_model))

    def forward(self, hidden: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """[B, T, d] and weights [B, T, N] to [B, T, d]."""
        gate = self.gate(alpha)
        if self.widths is None:
            return hidden * (1 + self.limit * (gate @ self.profile.sigmoid()))
        core = self.widths[0]
        loud = spread(nn.functional.pad(gate, (1, 0)), self.widths)
        return torch.cat((hidden[..., :core], hidden[..., core:] * (1 + self.limit * loud)), dim=-1)

    def gate(self, alpha: torch.Tensor) -> torch.Tensor:
        """How far each member beside the core is open [..., N - 1], between 0 and its alpha."""
        members = alpha[..., 1:]
        return members * torch.sigmoid(self.steepness * (members - self.threshold))

    @torch.no_grad()
    def grow(self) -> None:
        """Room for one more member, with the gate that all begin with."""
        for name, value in (("threshold", THRESHOLD), ("steepness", STEEPNESS), ("profile", 0.0)):
            old = getattr(self, name)
            row = old.new_full((1, *old.shape[1:]), value)
            setattr(self, name, nn.Parameter(torch.cat((old, row))))
