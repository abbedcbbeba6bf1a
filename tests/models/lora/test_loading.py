"""What is asked of a base is so after loading: bits, numbers, adapters; and gradients stay right on any CPU."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.lora.backends import choose_backend, open_model
from models.lora.bases import base_identity, find_base, load_tokenizer
from models.lora.loading import check_loaded, keep_gradients_right, load_base
from models.lora.proof import check_adapter
from models.lora.shapes import read_shape
from schemas.errors import MissingModel, SettingsError, StageFailed
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase, PretrainedBase
from tests.models.lora.pretrained import SHAPES, save_base

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("bases")
    return {family: save_base(family, folder / family) for family in SHAPES}


def asked(folder: Path, **changes: Any) -> LoraPreset:
    values = {"description": "x", "base": {"kind": "pretrained", "name": str(folder)}, "rank": 4, **changes}
    return LoraPreset.model_validate({"target_modules": SEVEN, **values})


@pytest.mark.parametrize("family", sorted(SHAPES))
@pytest.mark.parametrize(
    ("bits", "layer"), [("nf4", "Linear4bit"), ("int8", "Linear8bitLt"), ("none", "Linear")]
)
def test_layers_are_what_was_asked_for(bases: dict[str, Path], family: str, bits: str, layer: str) -> None:
    import torch

    preset = asked(bases[family], quantization=bits, dtype="bf16")
    model = open_model("trl", preset, bases[family], None)
    kinds = {
        type(getattr(module, "base_layer", module)).__name__
        for name, module in model.named_modules()
        if name.endswith(SEVEN)
    }
    assert layer in kinds
    assert len(kinds) == 1
    shape = check_adapter(model, preset)
    planned = read_shape(bases[family], preset)
    assert shape.adapted_layers == 14
    assert shape.trainable_parameters == planned.adapter
    assert shape.base_parameters == planned.linear + planned.other
    learning = [weight for weight in model.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in learning} == {torch.float32}, "steps of 1e-6 vanish in bf16"
    assert model.get_input_embeddings().weight.dtype == torch.bfloat16


def test_a_base_that_was_not_quantized_is_noticed(bases: dict[str, Path]) -> None:
    folder = bases["qwen-2.5"]
    model = load_base(asked(folder, dtype="bf16"), folder)
    for bits in ("nf4", "int8"):
        with pytest.raises(
            StageFailed, match=r"not loaded as asked: model.layers.0.self_attn.q_proj is Linear"
        ):
            check_loaded(model, asked(folder, quantization=bits, dtype="bf16"))
    with pytest.raises(StageFailed, match=r"is torch.bfloat16, not torch.float32"):
        check_loaded(model, asked(folder, dtype="fp32"))
    quantized = load_base(asked(folder, quantization="nf4", dtype="fp32"), folder)
    with pytest.raises(StageFailed, match="Linear4bit"):
        check_loaded(quantized, asked(folder, dtype="fp32"))


def gradients(model: Any, ids: Any) -> list[Any]:
    model.train()
    model.zero_grad()
    model(input_ids=ids, labels=ids).loss.backward()
    return [weight.grad.clone() for weight in model.parameters() if weight.requires_grad]


def largest_difference(model: Any, ids: Any) -> float:
    """Between the gradients before and after a forward pass without gradients, relative to their size."""
    import torch

    before = gradients(model, ids)
    model.eval()
    with torch.no_grad():
        model(input_ids=ids)
    after = gradients(model, ids)
    return max(
        float((a - b).abs().max() / (b.abs().max() + 1e-12)) for a, b in zip(after, before, strict=True)
    )


def test_gradients_of_a_4_bit_model_are_the_same_after_it_was_evaluated(tmp_path: Path) -> None:
    """bitsandbytes 0.50 repacks 4-bit weights in an evaluation on CPUs with AVX512-BF16, and gradients go wrong."""
    import bitsandbytes
    import torch
    from bitsandbytes.backends.cpu import ops

    folder = save_base("llama-3", tmp_path / "base", hidden_size=256, intermediate_size=512, head_dim=64)
    preset = asked(folder, quantization="nf4", dtype="bf16")
    torch.manual_seed(0)
    ids = torch.randint(5, 250, (2, 32))

    def with_moved_adapter() -> Any:
        model = open_model("trl", preset, folder, None)
        with torch.no_grad():
            for name, weight in model.named_parameters():
                if "lora_B" in name:
                    weight.normal_(0, 0.02)
        return model

    assert largest_difference(with_moved_adapter(), ids) == 0
    assert keep_gradients_right(with_moved_adapter()) == 14
    if not ops.has_avx512bf16():
        return
    unguarded = with_moved_adapter()
    for module in unguarded.modules():
        if isinstance(module, bitsandbytes.nn.Linear4bit):
            module.support_avx512bf16_for_cpu = True
    assert largest_difference(unguarded, ids) > 0.01, "the fault is gone from bitsandbytes: drop the guard"


def test_where_a_base_is_looked_for(bases: dict[str, Path], tmp_path: Path) -> None:
    local = PretrainedBase(name=str(bases["llama-3"]))
    assert find_base(local, None).folder == bases["llama-3"].resolve()
    hub = PretrainedBase(name="maker/model")
    with pytest.raises(
        MissingModel, match=r"maker/model is not on this machine.*hf download maker/model"
    ) as error:
        find_base(hub, tmp_path)
    assert str(tmp_path / "huggingface") in str(error.value)
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "huggingface" / "models--maker--model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    (repository / "snapshots").mkdir()
    (repository / "snapshots" / commit).symlink_to(bases["llama-3"])
    found = find_base(hub, tmp_path)
    assert (found.folder, found.revision) == (repository / "snapshots" / commit, commit)
    other = PretrainedBase(name="maker/model", revision="f" * 40)
    with pytest.raises(MissingModel, match="--revision ffff"):
        find_base(other, tmp_path)
    with pytest.raises(MissingModel, match=r"no base model '\./nowhere'"):
        find_base(PretrainedBase(name="./nowhere"), tmp_path)
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "config.json").write_text("{}")
    with pytest.raises(MissingModel, match=r"incomplete: no tokenizer_config.json"):
        find_base(PretrainedBase(name=str(tmp_path / "half")), None)


def test_the_identity_of_a_folder_is_its_content(tmp_path: Path) -> None:
    folder = save_base("qwen-2.5", tmp_path / "base")
    preset = asked(folder)
    first = base_identity(preset, None)
    assert base_identity(preset, None) == first
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert base_identity(preset, None) != first
    demo = LoraPreset(description="x", base=DemoBase(), target_modules=("q_proj",))
    assert base_identity(demo, None) == "built"


def test_targets_and_lengths_that_the_base_has_not(bases: dict[str, Path]) -> None:
    folder = bases["mistral"]
    with pytest.raises(SettingsError, match=r"no layer 'c_attn'.*There are: down_proj, gate_proj"):
        read_shape(folder, asked(folder, target_modules=("c_attn",)))
    with pytest.raises(SettingsError, match="more than the base can read: 512"):
        read_shape(folder, asked(folder, max_length=513))


def test_a_base_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "no-such-model"}')
    with pytest.raises(SettingsError, match="not a language model that can be loaded"):
        read_shape(tmp_path, asked(tmp_path))


def _shortened(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5000])


def _without(folder: Path, word: str) -> None:
    from safetensors.torch import load_file, save_file

    weights = folder / "model.safetensors"
    kept = {name: value for name, value in load_file(weights).items() if word not in name}
    save_file(kept, weights, metadata={"format": "pt"})


def _changed(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_shortened, r"weights cannot be read \(SafetensorError\)"),
        (lambda folder: _without(folder, "layers.1.mlp"), "lack 3 of its weights, like model.layers.1.mlp"),
        (lambda folder: _changed(folder / "config.json", intermediate_size=64), "weights cannot be read"),
        (
            lambda folder: _changed(
                folder / "config.json",
                model_type="own",
                auto_map={"AutoConfig": "x.C", "AutoModelForCausalLM": "x.M"},
            ),
            "weights cannot be read",
        ),
    ],
)
def test_a_damaged_base_is_never_filled_with_random_weights(
    bases: dict[str, Path], tmp_path: Path, damage: Callable[[Path], None], told: str
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(bases["llama-3"], folder)
    damage(folder)
    with pytest.raises(StageFailed, match=told):
        load_base(asked(folder), folder)


def test_code_in_a_base_is_neither_run_nor_asked_about(
    bases: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "base"
    shutil.copytree(bases["llama-3"], folder)
    (folder / "x.py").write_text("raise SystemExit('it was run')")
    _changed(
        folder / "config.json",
        model_type="own",
        auto_map={"AutoConfig": "x.C", "AutoModelForCausalLM": "x.M"},
    )
    with pytest.raises(SettingsError, match="not a language model"):
        read_shape(folder, asked(folder))
    assert "[y/N]" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["{}", '{"x', ""])
def test_a_damaged_tokenizer_is_told(bases: dict[str, Path], tmp_path: Path, text: str) -> None:
    folder = tmp_path / "base"
    shutil.copytree(bases["llama-3"], folder)
    (folder / "tokenizer.json").write_text(text)
    with pytest.raises(SettingsError, match="tokenizer cannot be read"):
        load_tokenizer(folder)


def test_unsloth_is_named_when_it_is_missing(bases: dict[str, Path]) -> None:
    folder = bases["llama-3"]
    assert choose_backend(asked(folder)) == choose_backend(asked(folder, backend="trl")) == "trl"
    with pytest.raises(MissingModel, match=r"Unsloth is not installed here.*docs/unsloth.md"):
        choose_backend(asked(folder, backend="unsloth"))
