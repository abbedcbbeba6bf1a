"""Reads a Detoxify checkpoint without trusting it: weights only, known architectures, no gaps."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.quiet import quiet_libraries
from models.toxicity.files import CHECKPOINT, MODEL, missing
from schemas.errors import MissingModel
from schemas.tables import TOXICITY_LABELS

#: The original challenge names three labels in its own way (as detoxify.load_checkpoint knows).
LABEL_NAMES = {"toxic": "toxicity", "severe_toxic": "severe_toxicity", "identity_hate": "identity_attack"}
#: The architectures that Detoxify publishes. Their names stand in the file, which must not choose any class.
ARCHITECTURES = {
    "BertForSequenceClassification": ("BertTokenizer",),
    "RobertaForSequenceClassification": ("RobertaTokenizer",),
    "XLMRobertaForSequenceClassification": ("XLMRobertaTokenizer",),
    "AlbertForSequenceClassification": ("AlbertTokenizer",),
}
#: What torch's unpickler raises on bytes that are no pickle, or no longer one.
_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, MemoryError, NotImplementedError,
    OSError, RuntimeError, TypeError, ValueError, struct.error,
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """What a Detoxify checkpoint holds. `classes` label the first of the `num_classes` outputs, in order."""

    model_type: str
    model_name: str
    tokenizer_name: str
    num_classes: int
    classes: tuple[str, ...]
    state_dict: Mapping[str, Any]


def read_checkpoint(path: Path, variant: str) -> Checkpoint:
    """Read a checkpoint file; no code in it can run. Raises MissingModel when torn or something else."""
    import torch

    try:
        # Detoxify itself unpickles with weights_only=False, which would run whatever the file says.
        with quiet_libraries():
            loaded = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        problem = f"{CHECKPOINT} holds more than weights and was refused; it may run code"
        raise missing(variant, problem, path) from None
    except _DAMAGE as error:
        raise missing(variant, f"{CHECKPOINT} is torn or damaged ({type(error).__name__})", path) from None
    try:
        return _checked(loaded)
    except (KeyError, TypeError, ValueError) as error:
        raise missing(variant, f"{CHECKPOINT} is not a Detoxify checkpoint ({error})", path) from None


def build_model(checkpoint: Checkpoint, folder: Path, variant: str) -> tuple[Any, Any]:
    """The model (evaluation mode, float32, CPU) and its tokenizer, by Detoxify's own code on local files.

    Raises MissingModel when the files under `folder` do not fit the checkpoint.
    """
    from detoxify.detoxify import get_model_and_tokenizer

    try:
        with quiet_libraries():
            model, tokenizer = get_model_and_tokenizer(
                model_type=str(folder / MODEL),
                model_name=checkpoint.model_name,
                tokenizer_name=checkpoint.tokenizer_name,
                num_classes=checkpoint.num_classes,
                state_dict=dict(checkpoint.state_dict),
            )
            # from_pretrained fills gaps with random weights and only warns: ask again, strictly.
            gaps = model.load_state_dict(checkpoint.state_dict, strict=False).missing_keys
    except (RuntimeError, OSError, ValueError, ImportError, KeyError, TypeError) as error:
        raise _unfit(variant, folder, type(error).__name__) from None
    if gaps:
        raise _unfit(variant, folder, f"{len(gaps)} weights are missing, {gaps[0]} first")
    return model.float().eval(), tokenizer


def _unfit(variant: str, folder: Path, reason: str) -> MissingModel:
    return missing(variant, f"{CHECKPOINT} and {MODEL}/ do not fit each other ({reason})", folder)


def _checked(loaded: Any) -> Checkpoint:
    """The fields of a loaded checkpoint; KeyError, TypeError or ValueError say what is off."""
    arch, state = loaded["config"]["arch"]["args"], loaded["state_dict"]
    classes = tuple(LABEL_NAMES.get(name, name) for name in loaded["config"]["dataset"]["args"]["classes"])
    if arch["tokenizer_name"] not in ARCHITECTURES.get(arch["model_name"], ()):
        raise ValueError("unknown architecture")
    if not isinstance(state, Mapping) or not isinstance(arch["model_type"], str):
        raise TypeError("fields of another kind")
    if not set(classes) & set(TOXICITY_LABELS) or not len(classes) <= int(arch["num_classes"]):
        raise ValueError("unknown labels")
    return Checkpoint(
        model_type=arch["model_type"],
        model_name=arch["model_name"],
        tokenizer_name=arch["tokenizer_name"],
        num_classes=int(arch["num_classes"]),
        classes=classes,
        state_dict=state,
    )
