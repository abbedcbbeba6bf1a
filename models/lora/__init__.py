"""The LoRA trainer. Importing this loads no model library; `train_lora` does."""

from models.lora.result import LoraResult
from models.lora.train import ADAPTER, BASE, LIBRARIES, RESULT, train_lora

__all__ = ["ADAPTER", "BASE", "LIBRARIES", "RESULT", "LoraResult", "train_lora"]
