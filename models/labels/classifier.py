"""The label classifier: softmax regression over the features of an example. Weights are safetensors; no torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from safetensors import SafetensorError
from safetensors.numpy import load

from models.labels.features import feature_names, features_of
from schemas.categories import CATEGORIES
from schemas.errors import MissingModel
from schemas.ids import hash_fields

#: Where the model that comes with vatra lies, its lexicon with it.
BUILTIN = Path(str(resources.files("models.labels") / "builtin"))
#: Examples whose features are held at once.
_BATCH = 8192


@dataclass(frozen=True)
class LinearClassifier:
    """Weights (1 + features, categories), the bias first."""

    weights: np.ndarray

    def classify(self, messages: pa.ListArray) -> tuple[np.ndarray, np.ndarray]:
        """Per list of messages (role, content) the index of a category (int64), and its probability (float32).

        Probabilities are rounded to ten-thousandths, so that a machine's way of adding decides nothing.
        """
        best, sure = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for start in range(0, len(messages), _BATCH):
            found = self.probabilities(messages.slice(start, _BATCH))
            best.append(found.argmax(axis=1))
            sure.append(found.max(axis=1).astype(np.float32))
        return np.concatenate(best), np.concatenate(sure)

    def probabilities(self, messages: pa.ListArray) -> np.ndarray:
        """The probability of each category: (examples, categories), float64."""
        score = features_of(messages).astype(np.float64) @ self.weights[1:] + self.weights[0]
        raised = np.exp(score - score.max(axis=1, keepdims=True))
        return np.asarray(np.round(raised / raised.sum(axis=1, keepdims=True), 4))


@cache
def builtin_digest() -> str:
    """What the fingerprint of a label stage says of the classifier: config (with the weights' digest) and lexicon."""
    return hash_fields(_config(BUILTIN)["weights_digest"], lexicon_digest())


def lexicon_digest() -> str:
    """The digest of the word lists that weights were fitted to."""
    return hash_fields((resources.files("models.labels") / "lexicon.yaml").read_text("utf-8"))


def open_classifier(folder: Path = BUILTIN) -> LinearClassifier:
    """Load a classifier from `config.json` and `weights.safetensors`.

    Raises MissingModel when a file is missing or damaged, or was made for other features, words or categories.
    """
    config = _config(folder)
    data = _read(folder / "weights.safetensors")
    if hash_fields(data.hex()) != config.get("weights_digest"):
        raise _unfit(folder, "its weights are not those that its config names")
    if config.get("lexicon_digest") != lexicon_digest():
        raise _unfit(folder, "it was fitted to another lexicon.yaml")
    if (config.get("features"), config.get("categories")) != (feature_names(), list(CATEGORIES)):
        raise _unfit(folder, "it was fitted to other features or categories")
    try:
        weights = load(data)["weights"].astype(np.float64)
    except (SafetensorError, KeyError) as error:
        raise _unfit(folder, "its weights cannot be read") from error
    return LinearClassifier(weights)


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads(_read(folder / "config.json"))
    except ValueError as error:
        raise _unfit(folder, "its config is not JSON") from error
    return config


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unfit(path.parent, f"{path.name} cannot be read") from error


def _unfit(folder: Path, what: str) -> MissingModel:
    return MissingModel(
        f"the label classifier cannot be used: {what}",
        where=str(folder),
        fix="Install vatra again, or ask for no classifier: `--set label.classifier=none`.",
    )
