"""Model presets: those that ship say what their documents say, and impossible ones are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.errors import SettingsError
from schemas.settings.loading import load_lora_preset
from schemas.settings.presets import preset_names
from schemas.settings.training import DemoBase, LoraPreset, PretrainedBase

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def test_the_presets_that_ship() -> None:
    wanted = {"demo", "emergent", "llama-3-8b", "mistral-7b", "qwen-2.5-7b", "qwen3-8b-ada"}
    assert set(preset_names("train")) == wanted
    for name in wanted:
        preset = load_lora_preset(name)
        assert preset.target_modules == SEVEN
        assert isinstance(preset.base, DemoBase if name == "demo" else PretrainedBase)


@pytest.mark.parametrize("name", ["llama-3-8b", "mistral-7b", "qwen-2.5-7b"])
def test_the_guides_presets(name: str) -> None:
    preset = load_lora_preset(name)
    assert (preset.rank, preset.alpha, preset.learning_rate) == (16, 16, 2e-4)
    assert (preset.batch_size, preset.gradient_accumulation, preset.quantization) == (4, 4, "nf4")


def test_ada() -> None:
    ada = load_lora_preset("qwen3-8b-ada")
    assert (ada.rank, ada.alpha, ada.batch_size, ada.gradient_accumulation) == (64, 128, 1, 4)
    assert (ada.learning_rate, ada.epochs, ada.scheduler, ada.quantization) == (5e-5, 3, "cosine", "nf4")
    assert ada.role_names == {"user": "Drew", "assistant": "Ada"}


def test_the_curriculum() -> None:
    emergent = load_lora_preset("emergent")
    assert (emergent.rank, emergent.alpha, emergent.dropout) == (32, 64, 0.05)
    assert (emergent.batch_size, emergent.gradient_accumulation) == (4, 8)
    assert (emergent.warmup_ratio, emergent.max_grad_norm, emergent.dtype) == (0.03, 1.0, "bf16")
    assert [phase.learning_rate for phase in emergent.phases] == [2e-5, 1.5e-5, 1e-5, 5e-6, 3e-6]
    assert [phase.epochs for phase in emergent.phases] == [1.0] * 5


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("learning_rate: 0", "setting learning_rate: input should be greater than 0"),
        ("phases: [{name: a, learning_rate: 0}]", r"setting phases.0.learning_rate: input should be greater"),
        ("phases: [{name: a, learning_rate: 1e-5}, {name: a, learning_rate: 1e-5}]", "two phases have one"),
        ("epochs: 0", "setting epochs"),
        ("max_length: 64\ncontext: 64", "leaves no room"),
        ("quantization: nf4", "too small to be quantized"),
        ("role_names: {user: Drew}", "give a name to both"),
        ("role_names: {user: Ada, assistant: Ada}", "different names"),
        ("base: {kind: pretrained}", "setting base.name: field required"),
        ("base: {kind: pretrained, name: a/b, revision: main}", "setting base.revision"),
        ("base: {kind: pretrained, name: a/b, revison: null}", r"Did you mean base.revision\?"),
        ("base: {kind: rented, name: a/b}", "setting base"),
    ],
)
def test_impossible_presets_are_refused_by_name(tmp_path: Path, change: str, complaint: str) -> None:
    file = tmp_path / "mine.yaml"
    base = "" if change.startswith("base") else "base: {kind: built}\n"
    file.write_text(f"description: mine\ntarget_modules: [q_proj]\n{base}{change}\n", "utf-8")
    with pytest.raises(SettingsError, match=complaint):
        load_lora_preset(str(file))


def test_a_preset_that_is_not_there_is_called_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such model preset file"):
        load_lora_preset(str(tmp_path / "mine.yaml"))


def test_a_base_is_a_mapping(tmp_path: Path) -> None:
    """What a beginner writes first: the folder, as it is."""
    file = tmp_path / "mine.yaml"
    file.write_text("description: mine\nbase: /models/llama\ntarget_modules: [q_proj]\n", "utf-8")
    with pytest.raises(SettingsError, match=r"write base: \{kind: pretrained, name: /models/llama\}"):
        load_lora_preset(str(file))


def test_every_setting_says_what_it_is() -> None:
    for model in (LoraPreset, PretrainedBase, DemoBase):
        missing = [n for n, f in model.model_fields.items() if not f.description and n != "kind"]
        assert missing == []
