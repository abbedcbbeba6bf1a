"""Small NOVAs with random weights, for tests: every part of them does something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.tribal.configuration import NovaConfig
from models.tribal.modeling import NovaForCausalLM

MEMBERS = ["nova", "sora", "lumin"]
VOCABULARY, CONTEXT = 61, 48
#: What differs between the ways of building one.
KINDS: dict[str, dict[str, Any]] = {
    "residual": {},
    "concat": {"mixing": "concat"},
    "uniform": {"detector": "uniform"},
    "alone": {"members": ["nova"]},
}


def small_nova(kind: str = "residual", attention: str = "sdpa", seed: int = 0, **changes: Any) -> Any:
    """A NOVA in eval mode whose weights are far from their first values: a silent member would hide mistakes."""
    settings: dict[str, Any] = {
        "vocab_size": VOCABULARY, "d_model": 24, "n_layers": 2, "n_heads": 3, "context": CONTEXT,
        "members": MEMBERS, "member_rank": 4, "detector_dim": 8, "pad_token_id": 0, "eos_token_id": 1,
    } | KINDS[kind] | changes  # fmt: skip
    torch.manual_seed(seed)
    model = NovaForCausalLM(NovaConfig(**settings))
    model.set_attn_implementation(attention)
    stir(model)
    return model.eval()


@torch.no_grad()
def stir(model: Any, std: float = 0.25) -> None:
    """Add noise to every weight."""
    for weight in model.parameters():
        weight.add_(torch.randn_like(weight) * std)


def some_ids(rows: int, length: int, seed: int = 0) -> torch.Tensor:
    """Token ids [rows, length] without padding and end marks."""
    return torch.randint(2, VOCABULARY, (rows, length), generator=torch.Generator().manual_seed(seed))


def save_nova(model: Any, folder: Path) -> Path:
    """The folder that a training makes: model and tokenizer. The model gets the tokenizer's vocabulary."""
    from models.chat_tokenizer import train_tokenizer

    tokenizer = train_tokenizer(["Te iubesc, iubito. The river is quiet this morning."], 300, CONTEXT)
    tokenizer.save_pretrained(folder)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(folder)
    return folder
