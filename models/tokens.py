"""Counts tokens with a tokenizer of one's own, from a `tokenizer.json`; needs no torch and asks no other host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import SettingsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILE = "tokenizer.json"
#: Distributions whose version changes the counts.
LIBRARIES = ("tokenizers",)
#: Texts that are encoded at once.
BATCH = 1_024


def tokenizer_file(given: str) -> str:
    """The tokenizer.json that a path means: the file itself, or the one in the folder."""
    path = Path(given)
    return str(path / FILE) if path.is_dir() else given


def check_tokenizer(data: bytes) -> None:
    """Raise SettingsError for a file that is no tokenizer."""
    _load(data)


def open_counter(data: bytes) -> Callable[[Sequence[str]], np.ndarray]:
    """A function from texts to their numbers of tokens (int64), special tokens left out."""
    tokenizer = _load(data)

    def count(texts: Sequence[str]) -> np.ndarray:
        sizes: list[int] = []
        for start in range(0, len(texts), BATCH):
            batch: list[Any] = tokenizer.encode_batch_fast(
                list(texts[start : start + BATCH]), add_special_tokens=False
            )
            sizes += [len(encoding) for encoding in batch]
        return np.asarray(sizes, np.int64)

    return count


def _load(data: bytes) -> Tokenizer:
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_str(data.decode("utf-8"))
    except Exception as error:  # noqa: BLE001 - the library raises no class of its own
        reason = str(error).splitlines()[0][:120] if str(error) else type(error).__name__
        raise SettingsError(
            f"the file is no tokenizer ({reason})", where="mix.tokenizer", fix=f"Give the path of a {FILE}."
        ) from None
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
