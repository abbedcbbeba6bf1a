"""Mixing: what each member adds to a token's embedding, weighted by the detector; positions come after it."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn
from transformers.initialization import no_init_weights

from models.tribal.blocks import beginning
from models.tribal.configuration import NovaConfig


class ResidualMixing(nn.Module):
    """embedding + sum of alpha_m * U_m V_m embedding: the core is the embedding itself, a member a low-rank change.

    Nothing is erased where a member is silent, and a further member is a further slot: U = 0 until it learns.
    """

    def __init__(self, config: NovaConfig) -> None:
        super().__init__()
        self.rank, self.slots = config.member_rank, len(config.members) - 1
        # torch warns of first values for a matrix without elements: a core alone has two of them.
        with nullcontext() if self.slots else no_init_weights():
            self.down = nn.Linear(config.d_model, self.slots * self.rank, bias=False)
            self.up = beginning(nn.Linear(self.slots * self.rank, config.d_model, bias=False), std=0.0)

    def forward(self, embedded: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """[B, T, d] and weights [B, T, N] to [B, T, d]."""
        if not self.slots:
            return embedded
        inner = self.down(embedded).unflatten(-1, (self.slots, self.rank)) * alpha[..., 1:, None]
        mixed: torch.Tensor = embedded + self.up(inner.flatten(-2))
        return mixed

    @torch.no_grad()
    def grow(self, std: float) -> None:
        """Room for one more member that changes nothing yet."""
        down, up, inner = self.down, self.up, (self.slots + 1) * self.rank
        place = {"device": down.weight.device, "dtype": down.weight.dtype}
        self.down = nn.Linear(down.in_features, inner, bias=False, **place)
        self.up = nn.Linear(inner, up.out_features, bias=False, **place)
        self.down.weight.normal_(0.0, std)
        self.up.weight.zero_()
        self.down.weight[: -self.rank] = down.weight
        self.up.weight[:, : -self.rank] = up.weight
        self.slots += 1


class ConcatMixing(nn.Module):
    """The core's slice and the members' side by side, as first drawn (512 + 256 of 768).

    A member's slice is scaled by its weight and by learned patterns. The core's is not scaled: to weigh it by its own
    alpha would erase most of the embedding wherever another member speaks.
    """

    def __init__(self, config: NovaConfig) -> None:
        super().__init__()
        assert config.member_widths is not None
        self.widths = list(config.member_widths)
        self.project = nn.Linear(config.d_model, config.d_model)
        self.patterns = nn.Parameter(torch.ones(config.d_model - self.widths[0]))

    def forward(self, embedded: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """[B, T, d] and weights [B, T, N] to [B, T, d]."""
        core, members = self.project(embedded).split((self.widths[0], sum(self.widths[1:])), dim=-1)
        return torch.cat((core, members * self.patterns * spread(alpha, self.widths)), dim=-1)


def spread(values: torch.Tensor, widths: list[int]) -> torch.Tensor:
    """Values of the members [..., N] over the channels of their slices [..., d - core]; the core's are left out."""
    parts = [values[..., m : m + 1].expand(*values.shape[:-1], w) for m, w in enumerate(widths) if m]
    return torch.cat(parts, dim=-1) if parts else values[..., :0]
