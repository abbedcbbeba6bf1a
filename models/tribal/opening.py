"""Opens a NOVA that lies in a folder, and refuses what is none, what is torn and what is another architecture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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
    except (OSError, ValueError, KeyError, TypeError):
        raise StoreError("the model's config.json is damaged", where=str(path), fix=_AGAIN) from None
    if kind != MODEL_TYPE:
        raise UsageError(
            f"the model is a {str(kind)[:40]!r}, not a NOVA",
            where=str(folder),
            fix="Give a folder that `vatra train tribal` made.",
        )
    for name in ("model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise StoreError(f"the model has lost {name}", where=str(folder), fix=_AGAIN)
    return dict(config)


def open_nova(folder: Path, *, attention: str = "sdpa", dtype: str = "auto") -> tuple[Any, Any]:
    """Model (in eval mode, on the CPU) and tokenizer. `attention` is "sdpa", or "eager" to see its weights.

    Raises UsageError for what is no NOVA, StoreError for a checkpoint that lacks weights or has others.
    """
    check_folder(folder)
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
            tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except (
            SafetensorError,
            StrictDataclassError,
            OSError,
            ValueError,
            TypeError,
            KeyError,
            RuntimeError,
        ) as error:
            raise StoreError(
                f"the model cannot be read ({type(error).__name__})", where=str(folder), fix=_AGAIN
            ) from None
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
    return model.eval(), tokenizer
