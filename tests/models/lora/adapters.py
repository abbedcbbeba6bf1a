"""Tiny bases of the real shapes with the families' tokenizers, and adapters on them, as folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.lora.template import Template, agree
from tests.models.lora.families import family_tokenizer

SHAPES = {"llama-3": "Llama", "mistral": "Mistral", "qwen-2.5": "Qwen2", "qwen-3": "Qwen3"}


def tiny_base(family: str, folder: Path, seed: int = 1) -> Any:
    """A model with random weights and the family's tokenizer; returns the tokenizer."""
    import torch
    import transformers

    tokenizer = family_tokenizer(family)
    config = getattr(transformers, f"{SHAPES[family]}Config")(
        vocab_size=len(tokenizer) + 8,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        **({"head_dim": 8} if family == "qwen-3" else {}),
    )
    torch.manual_seed(seed)
    getattr(transformers, f"{SHAPES[family]}ForCausalLM")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return tokenizer


def tiny_adapter(family: str, base: Path, folder: Path, system: str | None = None, seed: int = 2) -> Template:
    """An adapter that changes what the base says, with its tokenizer and template as training stores them."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    tokenizer = family_tokenizer(family)
    template = agree(tokenizer, system, {})
    torch.manual_seed(seed)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=4, lora_alpha=8, target_modules=targets)
    )
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.2)
    model.save_pretrained(folder, save_embedding_layers=False)
    tokenizer.chat_template = template.chat_template
    tokenizer.save_pretrained(folder)
    template.write(folder)
    return template
