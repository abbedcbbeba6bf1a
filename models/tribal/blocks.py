"""A transformer block: pre-norm, causal attention through the library's interface (SDPA, or eager for pictures)."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.modeling_layers import GradientCheckpointingLayer
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from models.tribal.configuration import NovaConfig


def eager_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention that also returns its weights [B, H, T, S]: SDPA does not tell them."""
    scores = torch.matmul(query, key.transpose(-1, -2)) * scaling
    if attention_mask is not None:
        scores = scores + attention_mask
    weights = nn.functional.softmax(scores, dim=-1, dtype=torch.float32).to(query.dtype)
    dropped = nn.functional.dropout(weights, p=dropout, training=module.training)
    return torch.matmul(dropped, value).transpose(1, 2).contiguous(), weights


def beginning(linear: Any, std: float) -> Any:
    """A matrix that says how widely its first values are spread: the model's own spread is not for it."""
    linear.first_std = std
    return linear


class CausalAttention(nn.Module):
    """Attention of [B, T, d] over itself and the past; `layer_idx` is its place in the cache.

    The mask is the library's: None stands for a plain causal one.
    """

    def __init__(
        self, config: NovaConfig, width_in: int, width: int, heads: int, layer_idx: int, bias: bool
    ) -> None:
        super().__init__()
        self.config, self.layer_idx, self.is_causal = config, layer_idx, True
        self.heads, self.head_dim = heads, width // heads
        self.scaling = self.head_dim**-0.5
        self.qkv = nn.Linear(width_in, 3 * width, bias=bias)

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor | None, past_key_values: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """The attended values [B, T, width], and the weights where the eager path computes them."""
        batch, length, _ = hidden.shape
        parts = self.qkv(hidden).view(batch, length, 3, self.heads, self.head_dim)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        if past_key_values is not None:
            key, value = past_key_values.update(key, value, self.layer_idx)
        attend = ALL_ATTENTION_FUNCTIONS.get_interface(self.config._attn_implementation, eager_attention)
        out, weights = attend(
            self,
            query,
            key,
            value,
            attention_mask,
            dropout=0.0,  # of attention weights it would cost a fifth of a training: all of them would be made
            scaling=self.scaling,
            **kwargs,
        )
        return out.reshape(batch, length, -1), weights


class NovaAttention(CausalAttention):
    """A block's attention, with its way back into the residual stream."""

    def __init__(self, config: NovaConfig, layer_idx: int) -> None:
        super().__init__(config, config.d_model, config.d_model, config.n_heads, layer_idx, bias=True)
        self.out = beginning(nn.Linear(config.d_model, config.d_model), config.residual_std)

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor | None, past_key_values: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """[B, T, d] to [B, T, d]."""
        attended, weights = super().forward(hidden, attention_mask, past_key_values, **kwargs)
        return self.out(attended), weights


class NovaBlock(GradientCheckpointingLayer):  # type: ignore[misc]
    """Attention and a feed-forward part of four times the width, each normed before and added to the stream."""

    def __init__(self, config: NovaConfig, layer_idx: int) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.attention = NovaAttention(config, layer_idx)
        self.feed_norm = nn.LayerNorm(config.d_model, eps=config.layer_norm_epsilon)
        self.up = nn.Linear(config.d_model, 4 * config.d_model)
        self.activation = nn.GELU(approximate="tanh")
        self.down = beginning(nn.Linear(4 * config.d_model, config.d_model), config.residual_std)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, hidden: torch.Tensor, attention_mask: torch.Tensor | None, past_key_values: Any, **kwargs: Any
    ) -> torch.Tensor:
        """[B, T, d] to [B, T, d]."""
        attended, _ = self.attention(self.attention_norm(hidden), attention_mask, past_key_values, **kwargs)
        hidden = hidden + self.dropout(attended)
        fed = self.dropout(self.down(self.activation(self.up(self.feed_norm(hidden)))))
        summed: torch.Tensor = hidden + fed
        return summed
