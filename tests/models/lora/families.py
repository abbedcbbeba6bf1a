"""Tokenizers of several model families, small: their real chat templates and marks over a vocabulary learnt here."""

from __future__ import annotations

from importlib import resources
from typing import Any

TEXTS = [
    "Salut! Ce mai faci? Bine, mulțumesc, și tu? 🌳",
    "Hello there, how are you today? I am fine, thank you for asking.",
    "user assistant system tool one two three four",
] * 4

#: As Mistral-7B-Instruct-v0.2 has it.
MISTRAL = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}"
    "{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
)

#: family: (file of TRL's or the template itself, bos, eos, other marks, end mark of a reply)
FAMILIES: dict[str, tuple[str, str | None, str, tuple[str, ...], str]] = {
    "llama-3": ("llama3.jinja", "<|begin_of_text|>", "<|end_of_text|>",
                ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"), "<|eot_id|>"),
    "qwen-2.5": ("qwen2_5.jinja", None, "<|im_end|>", ("<|im_start|>",), "<|im_end|>"),
    "qwen-3": ("qwen3.jinja", None, "<|im_end|>", ("<|im_start|>",), "<|im_end|>"),
    "gemma": ("gemma.jinja", "<bos>", "<eos>", ("<start_of_turn>", "<end_of_turn>"), "<end_of_turn>"),
    "mistral": (MISTRAL, "<s>", "</s>", (), "</s>"),
}  # fmt: skip


def family_tokenizer(family: str) -> Any:
    """A fast tokenizer with the family's chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    template, bos, eos, others, _ = FAMILIES[family]
    if template.endswith(".jinja"):
        template = (resources.files("trl") / "chat_templates" / template).read_text("utf-8")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    marks = [*filter(None, (bos, eos)), *others]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=marks,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=bos,
        eos_token=eos,
        pad_token=eos,
        additional_special_tokens=list(others),
        clean_up_tokenization_spaces=False,
        chat_template=template,
    )
