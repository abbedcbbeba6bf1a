"""Pretrained bases in small: the real shapes of several families, saved as local folders with their tokenizers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.models.lora.families import family_tokenizer

#: family of the tokenizer: class of the config
SHAPES = {
    "llama-3": "LlamaConfig",
    "mistral": "MistralConfig",
    "qwen-2.5": "Qwen2Config",
    "qwen-3": "Qwen3Config",
}


def save_base(family: str, folder: Path, **changes: Any) -> Path:
    """A model of the family with random weights (the same ones every time), small enough to train in a second."""
    import torch
    import transformers

    tokenizer = family_tokenizer(family)
    values = {
        "vocab_size": len(tokenizer), "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 512,
        "bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id, **changes,
    }  # fmt: skip
    config = getattr(transformers, SHAPES[family])(**values)
    torch.manual_seed(1)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
