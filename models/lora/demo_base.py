"""The demo base: a byte-level tokenizer learnt from the corpus, and a tiny Llama with random weights.

It is a real Hugging Face folder (safetensors, tokenizer, chat template), so everything behind it is the real
path; but it has learnt nothing, and an adapter on it is good for no conversation.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.settings.training import DemoBase

DESCRIPTION = "demo: a tiny Llama-shaped model with random weights, built from the preset; it knows nothing"


def build_demo_base(preset: DemoBase, tokenizer: Any, max_length: int, seed: int, folder: Path) -> None:
    """Write model and tokenizer to `folder`. The same seed gives the same bytes on the same machine."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=preset.hidden_size,
        intermediate_size=preset.intermediate_size,
        num_hidden_layers=preset.layers,
        num_attention_heads=preset.heads,
        num_key_value_heads=preset.heads,
        max_position_embeddings=max_length,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
