"""The context detector: who speaks here? A weight per member at every position, from what stands up to it.

It is causal, so training and generation see the same, no later token changes an earlier weight, and its keys and
values live in the model's cache like those of any other layer.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from models.tribal.blocks import CausalAttention
from models.tribal.configuration import NovaConfig

#: How far the score of a member that was added stands below the mean of the others', and so below their best: its
#: weight is then lost in fp32 sums (exp(-18) < 2**-25), and the rest keep theirs.
SILENT = -18.0


class ContextDetector(nn.Module):
    """Log weights of the members [B, T, N] from token embeddings [B, T, d]; they sum to 1 at every position."""

    def __init__(self, config: NovaConfig) -> None:
        super().__init__()
        width = config.detector_dim
        self.norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        # Its place in the cache is behind the blocks'.
        self.attention = CausalAttention(config, config.d_model, width, 1, config.n_layers, bias=False)
        self.inner = nn.Linear(width, width)
        self.activation = nn.GELU(approximate="tanh")
        self.score = nn.Linear(width, len(config.members))

    def forward(
        self,
        embedded: torch.Tensor,
        attention_mask: torch.Tensor | None,
        past_key_values: Any,
        **kwargs: Any,
    ) -> torch.Tensor:
        """Log weights, in fp32 whatever the model computes in."""
        attended, _ = self.attention(self.norm(embedded), attention_mask, past_key_values, **kwargs)
        scores = self.score(self.activation(self.inner(attended)))
        return nn.functional.log_softmax(scores.float(), dim=-1)

    @torch.no_grad()
    def grow(self) -> None:
        """Room for one more member, silent until it is trained: the others' weights stay as they are."""
        old = self.score
        new = nn.Linear(
            old.in_features, old.out_features + 1, device=old.weight.device, dtype=old.weight.dtype
        )
        new.weight[:-1], new.bias[:-1] = old.weight, old.bias
        new.weight[-1], new.bias[-1] = old.weight.mean(0), old.bias.mean() + SILENT
        self.score = new


def uniform_alpha(embedded: torch.Tensor, members: int) -> torch.Tensor:
    """Log weights [B, T, N] that know nothing: every member alike."""
    return embedded.new_zeros((*embedded.shape[:2], members), dtype=torch.float32).log_softmax(dim=-1)
