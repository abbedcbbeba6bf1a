"""A base that somebody trained, from the folder to the adapter: in 4 and 8 bits, packed, with names for roles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from models.lora import train_lora
from models.lora.template import read_template
from schemas.settings import LoraPreset
from tests.models.lora import conftest
from tests.models.lora.pretrained import save_base

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def asked(folder: Path, **changes: Any) -> LoraPreset:
    values = {
        "description": "x", "base": {"kind": "pretrained", "name": str(folder)}, "rank": 4, "target_modules": SEVEN,
        "learning_rate": 2e-2, "batch_size": 4, "gradient_accumulation": 1, "max_length": 400, "context": 100,
        "epochs": 2, **changes,
    }  # fmt: skip
    return LoraPreset.model_validate(values)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("qwen-2.5", {"quantization": "nf4", "dtype": "bf16", "gradient_checkpointing": True}),
        ("llama-3", {"quantization": "int8", "dtype": "bf16"}),
        ("mistral", {"packing": True, "max_length": 512, "epochs": 8}),
        (
            "qwen-3",
            {"role_names": {"user": "Drew", "assistant": "Ada"}, "dropout": 0.1, "system": "You are Ada."},
        ),
    ],
)
def test_an_adapter_on_a_pretrained_base(
    corpus: dict[str, list[Path]], tmp_path: Path, family: str, changes: dict[str, Any]
) -> None:
    from safetensors.torch import load_file

    folder = save_base(family, tmp_path / "base")
    preset, watched = asked(folder, **changes), conftest.Watched()
    result = train_lora(preset, corpus, tmp_path / "out", watcher=watched)
    assert not result.base_is_demo
    assert (result.base, result.quantization) == (str(folder), preset.quantization)
    assert (result.examples, result.replies, result.adapted_layers) == (10, 20, 14)
    assert result.last_loss < result.first_loss
    assert result.validation_loss_after is not None
    assert result.validation_loss_before is not None
    assert result.validation_loss_after < result.validation_loss_before
    assert not (tmp_path / "out/base").exists()
    weights = load_file(tmp_path / "out/adapter/adapter_model.safetensors")
    assert sum(weight.numel() for weight in weights.values()) == result.trainable_parameters
    template = read_template(tmp_path / "out/adapter")
    assert template.digest == result.template
    assert (tmp_path / "out/adapter/chat_template.jinja").read_text("utf-8") == template.chat_template
    config = json.loads((tmp_path / "out/adapter/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(folder)
    first = watched.shown[0]
    text = "".join(piece.text for piece in first.pieces)
    if "role_names" in changes:
        assert "Drew: Ce mai faci" in text
        assert "\n\nAda:" in text
        assert template.system == "You are Ada."
    for piece in first.pieces:
        if piece.trained:
            assert piece.text.endswith(template.end)
            assert "MASKED" not in piece.text


def test_packed_windows_are_kept_apart(corpus: dict[str, list[Path]], tmp_path: Path) -> None:
    """The mean loss over packed rows is that over single windows: no window sees its neighbour."""
    folder = save_base("llama-3", tmp_path / "base")
    losses = {}
    for packing in (False, True):
        preset = asked(
            folder, packing=packing, batch_size=10 if not packing else 4, max_length=512, max_steps=1
        )
        whole = preset.model_copy(update={"gradient_accumulation": 1 if not packing else 8})
        losses[packing] = train_lora(whole, corpus, tmp_path / f"out-{packing}").first_loss
    assert losses[True] == pytest.approx(losses[False], abs=1e-4)
