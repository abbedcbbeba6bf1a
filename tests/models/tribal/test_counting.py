"""The weights that `vatra presets` tells without a model library are those of the real model."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.tribal.configuration import NovaConfig
from models.tribal.modeling import NovaForCausalLM
from models.tribal.sizes import parameters_of
from schemas.settings.loading import load_tribal_preset
from schemas.settings.presets import preset_names
from schemas.settings.tribal import TribalPreset


def real(preset: TribalPreset) -> int:
    assert preset.members is not None
    config = NovaConfig(
        vocab_size=preset.vocab_size, d_model=preset.d_model, n_layers=preset.layers, n_heads=preset.heads,
        context=preset.context, members=list(preset.members), mixing=preset.mixing, detector_dim=preset.detector_dim,
        member_rank=preset.member_rank,
        member_widths=None if preset.member_widths is None else list(preset.member_widths),
    )  # fmt: skip
    with torch.device("meta"):
        return sum(weight.numel() for weight in NovaForCausalLM(config).parameters())


@pytest.mark.parametrize("name", preset_names("tribal"))
def test_shipped_presets(name: str) -> None:
    preset = load_tribal_preset(name)
    assert parameters_of(preset) == real(preset)


@settings(max_examples=25, deadline=None)
@given(
    heads=st.integers(1, 3), width=st.integers(3, 9), layers=st.integers(1, 3), members=st.integers(1, 5),
    rank=st.integers(1, 9), detector=st.integers(4, 9), mixing=st.sampled_from(["residual", "concat"]),
)  # fmt: skip
def test_any_preset(
    heads: int, width: int, layers: int, members: int, rank: int, detector: int, mixing: str
) -> None:
    values = {
        "description": "x", "heads": heads, "d_model": 12 * heads * width, "layers": layers, "member_rank": rank,
        "members": [f"m{n}" for n in range(members)], "mixing": mixing, "detector_dim": detector, "vocab_size": 300,
    }  # fmt: skip
    preset = TribalPreset.model_validate(values)
    assert parameters_of(preset) == real(preset)


def test_widths_of_ones_own_count_and_unknown_members_do_not() -> None:
    values = {"mixing": "concat", "members": ["nova", "sora"], "member_widths": [100, 92]}
    preset = load_tribal_preset("nova-tiny", values)
    assert parameters_of(preset) == real(preset)
    assert parameters_of(load_tribal_preset("nova-tiny", {"members": None})) is None


def test_counting_loads_no_model_library() -> None:
    code = (
        "import sys; from models.tribal.sizes import parameters_of; from schemas.settings import loading;"
        "assert parameters_of(loading.load_tribal_preset('nova-tiny'));"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
