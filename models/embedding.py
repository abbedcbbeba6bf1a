"""Sentence embeddings for semantic deduplication: a transformer from a folder, mean-pooled, of unit length."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schemas.errors import MissingModel, SettingsError
from schemas.settings import DedupSettings

#: Texts in, an array (texts, dimensions) of unit length out.
Embed = Callable[[Sequence[str]], np.ndarray]
_WEIGHTS = "model.safetensors"
_BATCH, _TOKENS = 64, 512


def open_embedder(settings: DedupSettings, context: Any = None) -> Embed | None:
    """The embedder that the settings name; None when semantic copies are not sought.

    Raises MissingModel where the folder holds no model, SettingsError where its weights are not those that were
    planned with.
    """
    if settings.semantic is None:
        return None
    folder = Path(settings.semantic)
    found = weights_digest(folder)
    if settings.semantic_digest not in (None, found):
        raise SettingsError(
            "the weights of the embedding model have changed since the build was planned", where=str(folder)
        )
    return _Embedder(folder)


def weights_digest(folder: Path) -> str:
    """BLAKE2b-128 of the model's weights. Raises MissingModel."""
    if not (folder / _WEIGHTS).is_file():
        raise MissingModel(
            f"there is no embedding model: {_WEIGHTS} is missing",
            where=str(folder),
            fix="dedup.semantic names a folder with a sentence-transformers model (config, tokenizer, safetensors); "
            "bring one there first, or leave the setting out.",
        )
    with (folder / _WEIGHTS).open("rb") as weights:
        return hashlib.file_digest(weights, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


class _Embedder:
    """Mean of the last hidden states over the tokens that are there."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoModel, AutoTokenizer

        self._tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        self._model = AutoModel.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True
        ).eval()
        self._longest = min(_TOKENS, int(getattr(self._model.config, "max_position_embeddings", _TOKENS)))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        made = [self._embed(texts[at : at + _BATCH]) for at in range(0, len(texts), _BATCH)]
        return np.concatenate(made) if made else np.zeros((0, self._model.config.hidden_size), np.float32)

    def _embed(self, texts: Sequence[str]) -> np.ndarray:
        import torch

        batch = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self._longest, return_tensors="pt"
        )
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state
        there = batch["attention_mask"].unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * there).sum(1) / there.sum(1).clamp(min=1)
        unit: np.ndarray = torch.nn.functional.normalize(mean, dim=1).numpy().astype(np.float32)
        return unit
