"""Which library trains: TRL with PEFT, or Unsloth where it is installed (docs/unsloth.md)."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from models.lora.loading import load_base, put_adapter, torch_dtype
from schemas.errors import MissingModel, SettingsError
from schemas.settings import LoraPreset

TRL, UNSLOTH = "trl", "unsloth"


def choose_backend(preset: LoraPreset) -> str:
    """The backend that will train. `auto` takes Unsloth where it can be imported and there is a GPU to use it on.

    Raises MissingModel when Unsloth is asked for and is not there.
    """
    if preset.backend == TRL or preset.base.kind == "built":
        if preset.backend == UNSLOTH:
            raise SettingsError("the demo base is for backend trl: Unsloth knows real families only")
        return TRL
    if importlib.util.find_spec("unsloth") is None:
        if preset.backend == UNSLOTH:
            raise MissingModel(
                "backend unsloth is asked for, and Unsloth is not installed here",
                fix="It needs an environment of its own: see docs/unsloth.md. Or take backend: trl.",
            )
        return TRL
    import torch

    if torch.cuda.is_available():
        return UNSLOTH
    if preset.backend == UNSLOTH:
        raise SettingsError("Unsloth trains on a GPU only, and there is none", fix="Take backend: trl.")
    return TRL


def open_model(backend: str, preset: LoraPreset, folder: Path, adapter: Path | None) -> Any:
    """The base with an adapter on it, ready to train; `adapter` is the phase before's, null: a fresh one."""
    if backend == TRL:
        return put_adapter(load_base(preset, folder), preset, adapter)
    return _open_with_unsloth(preset, folder, adapter)


def prepare_imports(backend: str) -> None:
    """Unsloth patches the other libraries and must come before them."""
    if backend == UNSLOTH:
        importlib.import_module("unsloth")


def _open_with_unsloth(preset: LoraPreset, folder: Path, adapter: Path | None) -> Any:
    """Never run where this was written: there was no GPU. What comes out is proven by the same checks as TRL's."""
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file
    from unsloth import FastLanguageModel

    from models.lora.loading import check_loaded, check_targets

    model, _ = FastLanguageModel.from_pretrained(
        model_name=str(folder),
        max_seq_length=preset.max_length,
        dtype=torch_dtype(preset),
        load_in_4bit=preset.quantization == "nf4",
        load_in_8bit=preset.quantization == "int8",
        local_files_only=True,
    )
    check_loaded(model, preset)
    check_targets(model, preset.target_modules)
    put = FastLanguageModel.get_peft_model(
        model,
        r=preset.rank,
        lora_alpha=preset.alpha,
        lora_dropout=preset.dropout,
        target_modules=list(preset.target_modules),
        bias="none",
        use_gradient_checkpointing="unsloth" if preset.gradient_checkpointing else False,
        random_state=preset.seed,
    )
    if adapter is not None:
        set_peft_model_state_dict(put, load_file(adapter / "adapter_model.safetensors"))
    return put
