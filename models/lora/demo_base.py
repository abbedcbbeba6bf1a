"""The demo base: a byte-level tokenizer learnt from the corpus, and a tiny Llama with random weights.

It is a real Hugging Face folder (safetensors, tokenizer, chat template), so everything behind it is the real
path; but it has learnt nothing, and an adapter on it is good for no conversation.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from schemas.settings.training import DemoBase

DESCRIPTION = "demo: a tiny Llama-shaped model with random weights, built from the preset; it knows nothing"
PAD, END = "<|pad|>", "<|end|>"
MARKS: dict[str, str] = {role: f"<|{role}|>" for role in ("system", "user", "assistant", "tool")}

#: A mark per role, the text, an end mark. Nothing else.
CHAT_TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message.role not in [" + ", ".join(f"'{role}'" for role in MARKS) + "] -%}"
    "{{- raise_exception('unknown role ' ~ message.role) -}}"
    "{%- endif -%}"
    "{{- '<|' ~ message.role ~ '|>' -}}"
    "{%- if message.role == 'assistant' -%}"
    "{%- generation -%}{{- message.content ~ '<|end|>' -}}{%- endgeneration -%}"
    "{%- else -%}"
    "{{- message.content ~ '<|end|>' -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"
)


def train_tokenizer(texts: Iterable[str], vocab_size: int, max_length: int) -> Any:
    """A byte-level BPE of at most `vocab_size` tokens; any text has an encoding and comes back whole."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[PAD, END, *MARKS.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        additional_special_tokens=list(MARKS.values()),
        model_max_length=max_length,
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


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
