"""A model preset in the words of other trainers: the configuration files that go with an export.

Written for Axolotl 0.19, LLaMA-Factory 0.9.5 and Unsloth 2026.10. Paths are relative: start the trainer in the folder.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.lora.trainer_family import read_way
from schemas.errors import UsageError
from schemas.settings import LoraPreset
from schemas.settings.training import PretrainedBase

#: By what a base is called: LLaMA-Factory's name for its way of writing, and the mark that ends a turn.
_FAMILIES = (
    (r"llama-?3", "llama3", "<|eot_id|>"),
    (r"qwen-?3", "qwen3_nothink", "<|im_end|>"),
    (r"qwen", "qwen", "<|im_end|>"),
    (r"mistral", "mistral", "</s>"),
    (r"gemma", "gemma", "<end_of_turn>"),
)


def axolotl_config(preset: LoraPreset, splits: Sequence[str], per_reply: bool) -> dict[str, Any]:
    """`config.yaml` for `axolotl train config.yaml`."""
    data = {
        "ds_type": "json",
        "type": "chat_template",
        "field_messages": "messages",
        "message_property_mappings": {"role": "role", "content": "content"},
        "message_field_training": "train",
        "roles_to_train": [],  # only what its own `train` says
        "train_on_eos": "turn",
    }
    config: dict[str, Any] = {
        "base_model": _base(preset).name,
        **({"revision_of_model": _base(preset).revision} if _base(preset).revision else {}),
        "load_in_4bit": preset.quantization == "nf4",
        "load_in_8bit": preset.quantization == "int8",
        "adapter": "qlora" if preset.quantization == "nf4" else "lora",
        "lora_r": preset.rank,
        "lora_alpha": preset.alpha,
        "lora_dropout": preset.dropout,
        "lora_target_modules": list(preset.target_modules),
        "chat_template": "tokenizer_default",
        "eot_tokens": [
            _family(preset)[1]
        ],  # else the mark is not learned where it is not the tokenizer's own end
        "datasets": [{"path": "train.jsonl", **data}],
        "val_set_size": 0,
        "dataset_prepared_path": "prepared",
        "output_dir": "outputs",
        "sequence_len": preset.max_length,
        "sample_packing": preset.packing,
        "micro_batch_size": preset.batch_size,
        "gradient_accumulation_steps": preset.gradient_accumulation,
        "num_epochs": preset.epochs,
        **({"max_steps": preset.max_steps} if preset.max_steps else {}),
        "optimizer": "adamw_torch",
        "learning_rate": preset.learning_rate,
        "lr_scheduler": _scheduler(preset),
        "warmup_ratio": preset.warmup_ratio,
        "max_grad_norm": preset.max_grad_norm,
        "weight_decay": preset.weight_decay,
        "gradient_checkpointing": preset.gradient_checkpointing,
        "bf16": "auto" if preset.dtype != "fp32" else False,
        "logging_steps": 1,
        "saves_per_epoch": 1,
        "seed": preset.seed,
    }
    if "validation" in splits:
        config["test_datasets"] = [{"path": "validation.jsonl", "split": "train", **data}]
    return {"config.yaml": config}


def llama_factory_config(preset: LoraPreset, splits: Sequence[str], per_reply: bool) -> dict[str, Any]:
    """`dataset_info.json`, and `train.yaml` for `llamafactory-cli train train.yaml`."""
    info = {
        f"vatra_{split}": {
            "file_name": f"{split}.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "conversations", "system": "system"},
        }
        for split in splits
    }
    config: dict[str, Any] = {
        "model_name_or_path": _base(preset).name,
        **({"model_revision": _base(preset).revision} if _base(preset).revision else {}),
        **({"quantization_bit": 4} if preset.quantization == "nf4" else {}),
        **({"quantization_bit": 8} if preset.quantization == "int8" else {}),
        "stage": "sft",
        "do_train": True,
        "finetuning_type": "lora",
        "lora_rank": preset.rank,
        "lora_alpha": preset.alpha,
        "lora_dropout": preset.dropout,
        "lora_target": ",".join(preset.target_modules),
        "dataset_dir": ".",
        "dataset": "vatra_train",
        "template": _template(preset),
        "cutoff_len": preset.max_length,
        "mask_history": per_reply,  # learn the last reply of a row only
        "packing": preset.packing,
        "output_dir": "outputs",
        "per_device_train_batch_size": preset.batch_size,
        "gradient_accumulation_steps": preset.gradient_accumulation,
        "learning_rate": preset.learning_rate,
        "num_train_epochs": preset.epochs,
        **({"max_steps": preset.max_steps} if preset.max_steps else {}),
        "lr_scheduler_type": _scheduler(preset),
        "warmup_ratio": preset.warmup_ratio,
        "max_grad_norm": preset.max_grad_norm,
        "weight_decay": preset.weight_decay,
        "bf16": preset.dtype != "fp32",
        "logging_steps": 1,
        "report_to": "none",
        "seed": preset.seed,
    }
    if "validation" in splits:
        config |= {"eval_dataset": "vatra_validation", "eval_strategy": "epoch"}
    return {"dataset_info.json": info, "train.yaml": config}


def unsloth_config(preset: LoraPreset, splits: Sequence[str], per_reply: bool) -> dict[str, Any]:
    """`config.yaml` for `unsloth train --config config.yaml`. It takes whole epochs only."""
    config = {
        "model": _base(preset).name,
        "data": {"local_dataset": ["train.jsonl"], "format_type": "chatml"},
        "training": {
            "training_type": "lora",
            "max_seq_length": preset.max_length,
            "load_in_4bit": preset.quantization == "nf4",
            "output_dir": "outputs",
            "num_epochs": max(1, round(preset.epochs)),
            "learning_rate": preset.learning_rate,
            "batch_size": preset.batch_size,
            "gradient_accumulation_steps": preset.gradient_accumulation,
            "max_steps": preset.max_steps or 0,
            "weight_decay": preset.weight_decay,
            "random_seed": preset.seed,
            "packing": preset.packing,
            "train_on_completions": True,
            "gradient_checkpointing": "unsloth" if preset.gradient_checkpointing else "none",
        },
        "lora": {
            "lora_r": preset.rank,
            "lora_alpha": preset.alpha,
            "lora_dropout": preset.dropout,
            "target_modules": ",".join(preset.target_modules),
        },
        "logging": {"enable_wandb": False, "enable_tensorboard": False},
    }
    return {"config.yaml": config}


def _base(preset: LoraPreset) -> PretrainedBase:
    assert isinstance(preset.base, PretrainedBase)
    return preset.base


def _scheduler(preset: LoraPreset) -> str:
    if preset.scheduler == "constant" and preset.warmup_ratio:
        return "constant_with_warmup"
    return str(preset.scheduler)


def _family(preset: LoraPreset) -> tuple[str | None, str]:
    """The base's template in LLaMA-Factory (None: not known), and its end of a turn.

    A folder on this machine is asked itself, a hub id is known by its name. Raises UsageError for one that is not
    known, SettingsError for a folder whose tokenizer cannot be trained with.
    """
    folder = Path(_base(preset).name).expanduser()
    if folder.is_dir():
        return read_way(folder)
    name = _base(preset).name.lower()
    for pattern, template, end in _FAMILIES:
        if re.search(pattern, name):
            return template, end
    raise _unknown(preset, "ends a turn", "vatra's exports")


def _template(preset: LoraPreset) -> str:
    template, _ = _family(preset)
    if template is None:
        raise _unknown(preset, "writes a conversation", "LLaMA-Factory by a name that vatra knows")
    return template


def _unknown(preset: LoraPreset, what: str, whom: str) -> UsageError:
    return UsageError(
        f"how {_base(preset).name} {what} is not known to {whom}",
        where="--preset",
        fix="Name the base's folder as base.name, if it is on this machine; else export as `messages` and write the "
        "trainer's configuration by hand, or train with vatra.",
    )
