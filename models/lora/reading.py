"""Reads a model's folder through transformers: whole or not at all, and no code that lies in it is ever run.

Left to itself, transformers fills weights that a folder has not with random numbers and only logs it, and asks on the
terminal whether code from the folder may run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.errors import SettingsError, StageFailed

_AGAIN = "Download it again, whole; a base must be one that transformers knows without code of its own."


def read_tokenizer(folder: Path) -> Any:
    """The tokenizer in a folder. Raises SettingsError when it cannot be read."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except MemoryError:
        raise
    except Exception as error:  # tokenizers knows no other kind, and a damaged file may cause any
        reason = f"the tokenizer cannot be read ({type(error).__name__})"
        raise SettingsError(reason, where=str(folder), fix=_AGAIN) from error


def read_weights(folder: Path, **options: Any) -> Any:
    """The language model in a folder, every weight of it from its files. Raises StageFailed."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    try:
        model, told = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, output_loading_info=True, **options
        )
    except (SafetensorError, OSError, ValueError, LookupError, TypeError, RuntimeError) as error:
        # Of all RuntimeErrors only this one is the folder's; another may be memory, which the caller handles.
        if isinstance(error, RuntimeError) and "mismatched_sizes" not in str(error):
            raise
        reason = f"the model's weights cannot be read ({type(error).__name__})"
        raise StageFailed(reason, where=str(folder), fix=_AGAIN) from error
    missing = sorted(told["missing_keys"])
    if missing:
        raise StageFailed(
            f"the model's files lack {len(missing)} of its weights, like {missing[0]}: they would be random numbers",
            where=str(folder),
            fix=_AGAIN,
        )
    return model
