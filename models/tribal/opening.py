"""Opens a NOVA that lies in a folder, and refuses what is none, what is torn and what is another architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.chat_tokenizer import END, MARKS, PAD
from models.quiet import quiet_libraries
from models.tribal.configuration import MODEL_TYPE
from schemas.errors import StoreError, UsageError

_AGAIN = "Train it again, or take the folder from a copy that is whole."


def check_folder(folder: Path) -> dict[str, Any]:
    """The configuration of the NOVA in a folder. Raises UsageError for anything else, StoreError for a torn one."""
    path = folder / "config.json"
    if not path.is_file():
        raise UsageError("there is no model here: config.json is missing", where=str(folder))
    try:
        config = json.loads(path.read_text("utf-8"))
        kind = config["model_type"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise StoreError("the model's config.json is damaged", where=str(path), fix=_AGAIN) from None
    if kind != MODEL_TYPE:
        raise UsageError(
            f"the model is a {str(kind)[:40]!r}, not a NOVA",
            where=str(folder),
            fix="Give a folder that `vatra train tribal` made.",
        )
    if "quantization_config" in config:
        raise UsageError(
            "the model was quantised by other means",
            where=str(folder),
            fix="Give its weights as they were trained; --int8 quantises them.",
        )
    for name in ("model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            raise StoreError(f"the model has lost {name}", where=str(folder), fix=_AGAIN)
    return dict(config)


def open_nova(folder: Path, *, attention: str = "sdpa", dtype: str = "auto") -> tuple[Any, Any]:
    """Model (in eval mode, on the CPU) and tokenizer. `attention` is "sdpa", or "eager" to see its weights.

    Raises UsageError for what is no NOVA, StoreError for a checkpoint that lacks weights or has others, and for a
    tokenizer that is not the model's.
    """
    check_folder(folder)
    model, tokenizer, told = _read(folder, attention, dtype)
    _check_weights(model, told, folder)
    _check_tokenizer(model, tokenizer, folder)
    _forget_generation(model)
    return model.eval(), tokenizer


def _read(folder: Path, attention: str, dtype: str) -> tuple[Any, Any, dict[str, Any]]:
    """Model, tokenizer, and what the library has to say of the weights. No code that lies in the folder is run."""
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoTokenizer

    from models.tribal.modeling import NovaForCausalLM

    with quiet_libraries():
        try:
            model, told = NovaForCausalLM.from_pretrained(
                folder,
                attn_implementation=attention,
                dtype=dtype,
                local_files_only=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are told below
            )
            # Without a word on it the library would ask on the terminal.
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except (
            SafetensorError,
            StrictDataclassError,
            OSError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RuntimeError,
        ) as error:
            raise StoreError(
                f"the model cannot be read ({type(error).__name__})", where=str(folder), fix=_AGAIN
            ) from None
    return model, tokenizer, told


def _check_weights(model: Any, told: dict[str, Any], folder: Path) -> None:
    """All that the configuration asks for, nothing else, and numbers."""
    for what in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if told[what]:
            raise StoreError(
                f"the weights do not fit the configuration: {len(told[what])} {what.replace('_', ' ')}",
                where=str(folder),
                fix=_AGAIN,
            )
    broken = sum(not bool(weight.isfinite().all()) for weight in model.parameters())
    if broken:
        raise StoreError(f"{broken} weights hold what is not a number", where=str(folder), fix=_AGAIN)


def _check_tokenizer(model: Any, tokenizer: Any, folder: Path) -> None:
    """Its ids are the model's, and it has the marks of a chat."""
    known, tokens = tokenizer.get_vocab(), model.config.vocab_size
    if any(mark not in known for mark in (PAD, END, *MARKS.values())) or tokenizer.eos_token != END:
        reason = "it lacks the marks of a chat"
    elif len(tokenizer) != tokens:
        reason = f"it has {len(tokenizer):,} tokens, the model {tokens:,}"
    else:
        return
    raise StoreError(f"the tokenizer is not this model's: {reason}", where=str(folder), fix=_AGAIN)


def _forget_generation(model: Any) -> None:
    """What a folder says of generation is somebody else's taste: whatever a call leaves open, the library would take
    from there.
    """
    from transformers import GenerationConfig

    model.generation_config = GenerationConfig(
        eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
