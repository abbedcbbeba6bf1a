"""Detoxify's models on whole corpora: length-sorted batches, explicit truncation, float32."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.toxicity.checkpoint import build_model, read_checkpoint
from models.toxicity.files import CHECKPOINT, check_files, variant_folder
from schemas.errors import UsageError
from schemas.tables import TOXICITY_LABELS

if TYPE_CHECKING:
    import numpy as np

#: What the models were trained with; longer texts are judged by their beginning.
MAX_TOKENS = 512
#: Texts per forward pass: a small batch wastes less padding on a CPU, a large one keeps a GPU busy.
BATCH_CPU, BATCH_GPU = 16, 128


class DetoxifyScorer:
    """Scores by `Detoxify.predict`'s own steps; of its labels, `sexual_explicit` is left out."""

    def __init__(self, variant: str, model: Any, tokenizer: Any, classes: Sequence[str], device: str) -> None:
        self.name = f"detoxify:{variant}"
        self._columns = {label: classes.index(label) for label in TOXICITY_LABELS if label in classes}
        self.labels: tuple[str, ...] = tuple(self._columns)
        self._model, self._tokenizer = model.to(device), tokenizer
        self._device, self._batch = device, BATCH_CPU if device == "cpu" else BATCH_GPU
        self._max_tokens = min(MAX_TOKENS, tokenizer.model_max_length, _positions(model.config))

    def score(self, texts: Sequence[str]) -> dict[str, np.ndarray]:
        """One float32 array per label, in the order of `texts`; order matters only in rounding."""
        import numpy as np

        # Texts of like length share a batch, so that little of it is padding.
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        scores = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        for start in range(0, len(order), self._batch):
            rows = order[start : start + self._batch]
            scores[rows] = self._predict([_encodable(texts[i]) for i in rows])
        return {label: scores[:, i].copy() for i, label in enumerate(self.labels)}

    def _predict(self, batch: list[str]) -> np.ndarray:
        """Probabilities of one batch: (texts, labels)."""
        import torch

        inputs = self._tokenizer(
            batch, return_tensors="pt", truncation=True, max_length=self._max_tokens, padding=True
        ).to(self._device)
        with torch.inference_mode():
            scores = torch.sigmoid(self._model(**inputs)[0])[:, list(self._columns.values())]
        array: np.ndarray = scores.float().cpu().numpy()
        return array


def open_detoxify(variant: str, cache: Path, device: str = "auto") -> DetoxifyScorer:
    """Load a Detoxify variant from the cache; nothing is downloaded. Raises MissingModel, UsageError."""
    folder = variant_folder(cache, variant)
    check_files(folder, variant)
    return load_detoxify(variant, folder, device)


def load_detoxify(variant: str, folder: Path, device: str = "auto") -> DetoxifyScorer:
    """Load a Detoxify variant from `folder`, laid out as in the cache. Raises MissingModel, UsageError."""
    chosen = _device(device)
    checkpoint = read_checkpoint(folder / CHECKPOINT, variant)
    model, tokenizer = build_model(checkpoint, folder, variant)
    return DetoxifyScorer(variant, model, tokenizer, checkpoint.classes, chosen)


def _device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise UsageError("there is no CUDA device on this machine", fix="Use device auto or cpu.")
    return device


def _positions(config: Any) -> int:
    """How many tokens a model has positions for; RoBERTa's begin behind the padding token's id."""
    offset = config.pad_token_id + 1 if "roberta" in config.model_type else 0
    return int(config.max_position_embeddings) - offset


def _encodable(text: str) -> str:
    """Half a surrogate pair has no UTF-8 form and would stop the tokenizer; it becomes a question mark."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
