"""How many weights a NOVA has, and how they begin."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.nova_models import nova_config, parameters_of, presets
from models.tribal.configuration import NovaConfig
from models.tribal.modeling import NovaForCausalLM


def weights_of(config: NovaConfig) -> int:
    """By hand, from the shapes in the architecture's description."""
    d, n, w = config.d_model, len(config.members), config.detector_dim
    embeddings = config.vocab_size * d + config.context * d
    block = 12 * d * d + 13 * d  # 3 + 1 + 4 + 4 matrices of d x d, their biases 9 d, two norms 4 d
    detector = 2 * d + 3 * d * w + w * w + w + w * n + n
    if config.mixing == "concat":
        assert config.member_widths is not None
        members = d * d + d + (d - config.member_widths[0]) + 2 * (n - 1)
    else:
        members = 2 * d * config.member_rank * (n - 1) + (n - 1) * (2 + d)
    return embeddings + config.n_layers * block + detector + members + 2 * d


@pytest.mark.parametrize("preset", presets())
def test_a_preset_has_the_weights_that_its_shape_says(preset: str) -> None:
    assert parameters_of(preset) == weights_of(nova_config(preset))


def test_the_base_is_of_the_size_that_the_pages_tell() -> None:
    assert parameters_of("nova-base") == 125_382_029


@settings(max_examples=20, deadline=None)
@given(
    heads=st.integers(1, 3), layers=st.integers(1, 3), members=st.integers(1, 4), rank=st.integers(1, 9),
    concat=st.booleans(),
)  # fmt: skip
def test_any_shape_has_the_weights_that_it_says(
    heads: int, layers: int, members: int, rank: int, concat: bool
) -> None:
    config = NovaConfig(
        vocab_size=50, d_model=12 * heads, n_heads=heads, n_layers=layers, members=list("abcd"[:members]),
        member_rank=rank, detector_dim=5, context=20, mixing="concat" if concat else "residual",
    )  # fmt: skip
    with torch.device("meta"):
        model = NovaForCausalLM(config)
    assert sum(weight.numel() for weight in model.parameters()) == weights_of(config)


@pytest.mark.parametrize("mixing", ["residual", "concat"])
def test_weights_begin_as_described(mixing: str) -> None:
    torch.manual_seed(0)
    model = NovaForCausalLM(NovaConfig(d_model=192, n_layers=4, mixing=mixing, initializer_range=0.02))
    inner = model.model
    for weight in (
        inner.token_embedding.weight,
        inner.blocks[1].up.weight,
        inner.blocks[1].attention.qkv.weight,
    ):
        assert weight.std().item() == pytest.approx(0.02, rel=0.03)
    for weight in (inner.blocks[1].down.weight, inner.blocks[1].attention.out.weight):
        assert weight.std().item() == pytest.approx(0.02 / math.sqrt(8), rel=0.03)
    assert (inner.resonance.threshold == 0.5).all()
    if mixing == "residual":
        assert not inner.mixing.up.weight.any()
        assert inner.mixing.down.weight.std().item() == pytest.approx(0.02, rel=0.05)
    ids = torch.randint(2, 2048, (4, 64))
    assert model(ids, labels=ids).lm_loss.item() == pytest.approx(math.log(2048), rel=0.05)
