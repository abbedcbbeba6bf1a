"""What a NOVA is: sizes, members and how they are mixed, as a Hugging Face configuration."""

from __future__ import annotations

import math
from dataclasses import field
from typing import Any

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig

MODEL_TYPE = "nova"
#: Ways of mixing members into an embedding, and of weighing them.
MIXINGS, DETECTORS = ("residual", "concat"), ("learned", "uniform")


@strict
class NovaConfig(PreTrainedConfig):  # type: ignore[misc]
    """Sizes and members of a NOVA. The first member is the core: what is there when nobody colours it.

    `member_widths` (concat only) are the slices of the members, which sum to `d_model`. `detector: uniform` gives every
    member the same weight everywhere: what the learned one is compared with. A cache has `num_hidden_layers` layers:
    those of the blocks, and behind them the detector's own.
    """

    model_type = MODEL_TYPE
    keys_to_ignore_at_inference = ("past_key_values", "alpha")
    attribute_map = {  # noqa: RUF012 - as in every configuration of the library
        "hidden_size": "d_model",
        "max_position_embeddings": "context",
        "num_attention_heads": "n_heads",
    }

    vocab_size: int = 2048
    d_model: int = 192
    n_layers: int = 4
    n_heads: int = 4
    context: int = 512
    members: list[str] | tuple[str, ...] = field(default_factory=lambda: ["nova", "sora"])
    mixing: str = "residual"
    member_rank: int = 32
    member_widths: list[int] | tuple[int, ...] | None = None
    detector: str = "learned"
    detector_dim: int = 64
    resonance_limit: float = 0.3
    label_loss_weight: float = 0.1
    dropout: float = 0.0
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-5
    use_cache: bool = True
    tie_word_embeddings: bool = True
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None
    pad_token_id: int | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.members = list(self.members)
        if self.mixing == "concat":
            widths = self.member_widths or default_widths(self.d_model, len(self.members))
            self.member_widths = list(widths)
        self._check()
        super().__post_init__(**kwargs)

    @property
    def num_hidden_layers(self) -> int:
        """Layers of a cache: one per block and, behind them, the detector's."""
        return self.n_layers + int(self.detector == "learned")

    @property
    def residual_std(self) -> float:
        """How wide a matrix begins that leads back into the residual stream, to which 2 * n_layers of them add."""
        return self.initializer_range / math.sqrt(2 * self.n_layers)

    def _check(self) -> None:
        if not self.members or len({name.casefold() for name in self.members}) < len(self.members):
            raise ValueError(f"members must be different names, the core first; not {self.members}")
        for name in (
            "vocab_size",
            "d_model",
            "n_layers",
            "n_heads",
            "context",
            "member_rank",
            "detector_dim",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; 1 is the least")
        for name in ("dropout", "resonance_limit", "label_loss_weight"):
            if not 0 <= getattr(self, name) < (1 if name == "dropout" else math.inf):
                raise ValueError(f"{name} is {getattr(self, name)}, which is out of its range")
        if self.d_model % self.n_heads:
            raise ValueError(f"d_model {self.d_model} is not a multiple of n_heads {self.n_heads}")
        if self.mixing not in MIXINGS or self.detector not in DETECTORS:
            raise ValueError(f"mixing is one of {MIXINGS}, detector one of {DETECTORS}")
        if self.member_widths is None:
            return
        if self.mixing != "concat":
            raise ValueError("member_widths are for mixing='concat'")
        if len(self.member_widths) != len(self.members) or min(self.member_widths) < 1:
            raise ValueError(f"{len(self.members)} members need as many widths, each of 1 or more")
        if sum(self.member_widths) != self.d_model:
            raise ValueError(f"member_widths sum to {sum(self.member_widths)}, not to d_model {self.d_model}")


def default_widths(d_model: int, members: int) -> list[int]:
    """Two thirds for the core, as in the first drawing (512 of 768), and the rest shared by the others, in order."""
    if members == 1:
        return [d_model]
    others = members - 1
    each, more = divmod(d_model - 2 * d_model // 3, others)
    return [d_model - each * others - more, *(each + (number < more) for number in range(others))]
