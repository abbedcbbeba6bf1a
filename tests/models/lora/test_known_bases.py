"""The sizes that are told before a base is fetched are those that its own config gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.lora.known_bases import KNOWN, Dimensions, known_shape, preset_memory
from models.lora.shapes import read_shape
from schemas.settings.loading import load_lora_preset
from schemas.settings.presets import preset_names
from schemas.settings.training import PretrainedBase

FAMILY = {"meta-llama": "Llama", "mistralai": "Mistral", "Qwen/Qwen2.5": "Qwen2", "Qwen/Qwen3": "Qwen3"}


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_known_shapes_are_the_real_ones(name: str, tmp_path: Path) -> None:
    import transformers

    sizes = KNOWN[name]
    family = next(value for key, value in FAMILY.items() if name.startswith(key))
    config(transformers, family, sizes).save_pretrained(tmp_path)
    preset = load_lora_preset("llama-3-8b")
    assert known_shape(sizes, preset) == read_shape(tmp_path, preset)


def config(transformers: object, family: str, sizes: Dimensions) -> object:
    return getattr(transformers, f"{family}Config")(
        architectures=[f"{family}ForCausalLM"], vocab_size=sizes.vocabulary, hidden_size=sizes.hidden,
        intermediate_size=sizes.inner, num_hidden_layers=sizes.layers, num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.key_heads, head_dim=sizes.head, max_position_embeddings=sizes.positions,
        tie_word_embeddings=sizes.tied,
    )  # fmt: skip


def test_every_shipped_preset_says_what_it_takes() -> None:
    for name in preset_names("train"):
        memory = preset_memory(load_lora_preset(name))
        assert memory is not None, name
    gib = 1 << 30
    whole, four = (
        preset_memory(load_lora_preset("llama-3-8b", {"quantization": kind})) for kind in ("none", "nf4")
    )
    assert whole is not None
    assert four is not None
    assert 14.5 * gib < whole.weights < 16 * gib  # 8.03 billion weights of two bytes
    assert 5 * gib < four.weights < 6.5 * gib


def test_a_base_that_nobody_knows() -> None:
    preset = load_lora_preset("llama-3-8b")
    assert preset_memory(preset.model_copy(update={"base": PretrainedBase(name="some/model")})) is None
