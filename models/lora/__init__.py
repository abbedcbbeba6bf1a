"""The LoRA trainer. Importing this loads no model library; `train_lora` does."""

from models.lora.bases import base_identity
from models.lora.preflight import Preflight
from models.lora.result import LoraResult, PhaseResult
from models.lora.train import ADAPTER, BASE, LIBRARIES, RESULT, plan_run, train_lora
from models.lora.watching import Watcher
from models.training.stopping import TrainingStopped
from models.training.watching import Measured, StepDone

__all__ = [
    "ADAPTER",
    "BASE",
    "LIBRARIES",
    "RESULT",
    "LoraResult",
    "Measured",
    "PhaseResult",
    "Preflight",
    "StepDone",
    "TrainingStopped",
    "Watcher",
    "base_identity",
    "plan_run",
    "train_lora",
]
