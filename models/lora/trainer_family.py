"""How a base on this machine writes conversations, in the words of other trainers' configurations."""

from __future__ import annotations

from pathlib import Path

#: A mark of the chat template, the mark that ends a turn, and LLaMA-Factory's name for this way of writing.
_WAYS = (
    ("<|start_header_id|>", "<|eot_id|>", "llama3"),
    ("<think>", "<|im_end|>", "qwen3_nothink"),
    ("<|im_start|>", "<|im_end|>", "qwen"),
    ("[INST]", "</s>", "mistral"),
    ("<start_of_turn>", "<end_of_turn>", "gemma"),
)


def read_way(folder: Path) -> tuple[str | None, str]:
    """LLaMA-Factory's template (None: none that is known writes like this) and the end of a turn, from a tokenizer.

    Found as a training finds them: by writing conversations. Raises SettingsError.
    """
    from models.lora.bases import load_tokenizer
    from models.lora.template import agree
    from models.quiet import quiet_libraries

    with quiet_libraries():
        agreed = agree(load_tokenizer(folder), None, {})
    found = (way for mark, end, way in _WAYS if mark in agreed.chat_template and end == agreed.end)
    return next(found, None), agreed.end
