"""Members: how they are mixed, when they sound, and how one is added."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForCausalLM

from models.tribal.configuration import NovaConfig, default_widths
from models.tribal.mixing import ConcatMixing, ResidualMixing
from models.tribal.modeling import NovaForCausalLM
from models.tribal.resonance import TribalResonance
from schemas.errors import UsageError
from tests.models.tribal.tribes import small_nova, some_ids


@torch.no_grad()
def read(model: Any, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    out = model(ids, return_alpha=True)
    return out.logits, out.alpha


@settings(max_examples=25, deadline=None)
@given(
    members=st.integers(1, 6), d_model=st.integers(24, 96), seed=st.integers(0, 2**16), mixing=st.booleans()
)
def test_resonance_is_a_boost_between_nothing_and_its_limit(
    members: int, d_model: int, seed: int, mixing: bool
) -> None:
    torch.manual_seed(seed)
    config = NovaConfig(
        d_model=d_model,
        n_heads=1,
        members=list("abcdef"[:members]),
        mixing="concat" if mixing else "residual",
    )
    resonance = TribalResonance(config)
    with torch.no_grad():
        for weight in resonance.parameters():
            weight.add_(torch.randn_like(weight) * 20)
    alpha = (torch.randn(2, 5, members) * 3).softmax(-1)
    boost = resonance(torch.ones(2, 5, d_model), alpha) - 1
    assert boost.min() >= 0
    assert boost.max() <= config.resonance_limit + 1e-6


def test_resonance_is_smooth_where_the_first_drawing_jumped() -> None:
    config = NovaConfig(d_model=24, members=["a", "b"])
    resonance, near = TribalResonance(config).double(), torch.linspace(0.49, 0.51, 201, dtype=torch.double)
    alpha = torch.stack((1 - near, near), -1).requires_grad_()
    out = resonance(torch.ones(201, 24, dtype=torch.double), alpha)
    assert out.diff(dim=0).abs().max() < 1e-4
    out.sum().backward()
    assert alpha.grad is not None
    assert (alpha.grad[:, 1] > 0).all()


def test_a_silent_tribe_leaves_the_embedding_as_it_is_in_residual_mixing() -> None:
    torch.manual_seed(0)
    mixing, embedded = ResidualMixing(NovaConfig(d_model=24, members=["a", "b", "c"])), torch.randn(2, 5, 24)
    core_alone = torch.tensor([1.0, 0.0, 0.0]).expand(2, 5, 3)
    assert torch.equal(mixing(embedded, core_alone), embedded)
    assert not torch.equal(mixing(embedded, core_alone.roll(1, -1)), embedded)


def test_in_concat_a_member_speaks_in_its_own_slice_and_the_core_is_never_erased() -> None:
    torch.manual_seed(0)
    config = NovaConfig(d_model=24, members=["a", "b", "c"], mixing="concat", member_widths=[14, 7, 3])
    mixing, embedded = ConcatMixing(config), torch.randn(2, 5, 24)
    one = mixing(embedded, torch.tensor([1.0, 0.0, 0.0]).expand(2, 5, 3))
    other = mixing(embedded, torch.tensor([0.0, 0.0, 1.0]).expand(2, 5, 3))
    assert torch.equal(one[..., :14], other[..., :14])
    assert one[..., :14].all()
    assert not one[..., 14:].any()
    assert not other[..., 14:21].any()
    assert other[..., 21:].all()


@given(d_model=st.integers(8, 2048), members=st.integers(1, 9))
def test_default_widths_fill_the_width_and_leave_nobody_out(d_model: int, members: int) -> None:
    widths = default_widths(d_model, members)
    assert sum(widths) == d_model
    assert len(widths) == members
    if d_model >= 3 * members:
        assert min(widths) >= 1
        assert widths[0] == max(widths)


def test_the_first_drawing_is_one_of_the_modes() -> None:
    assert default_widths(768, 2) == [512, 256]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": []}, "members"),
        ({"members": ["nova", "Nova"]}, "different"),
        ({"d_model": 25}, "multiple"),
        ({"mixing": "sum"}, "mixing"),
        ({"detector": "oracle"}, "detector"),
        ({"member_widths": [12, 6, 6]}, "concat"),
        ({"mixing": "concat", "member_widths": [12, 6]}, "as many widths"),
        ({"mixing": "concat", "member_widths": [12, 12, 0]}, "1 or more"),
        ({"mixing": "concat", "member_widths": [12, 6, 5]}, "sum to 23"),
        ({"resonance_limit": -0.1}, "resonance_limit"),
        ({"member_rank": 0}, "member_rank"),
        ({"n_layers": 0}, "n_layers"),
        ({"dropout": 1.5}, "dropout"),
    ],
)
def test_impossible_tribes_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        NovaConfig(**({"d_model": 24, "n_heads": 4, "members": ["nova", "sora", "lumin"]} | changes))


@pytest.mark.parametrize("changes", [{}, {"members": ["nova"]}], ids=str)
def test_a_member_that_was_added_changes_nothing_until_it_learns(changes: dict[str, Any]) -> None:
    model, ids = small_nova(**changes), some_ids(2, 20)
    (logits, alpha), names = read(model, ids), list(model.config.members)
    model.add_member("samanta")
    after, after_alpha = read(model, ids)
    assert model.config.members == [*names, "samanta"]
    torch.testing.assert_close(after, logits, atol=1e-6, rtol=0)
    torch.testing.assert_close(after_alpha[..., :-1], alpha, atol=1e-6, rtol=0)
    assert after_alpha[..., -1].max() < 1e-6


@pytest.mark.parametrize("shift", [-40.0, 0.0, 40.0])
def test_a_new_member_is_silent_wherever_the_others_scores_lie(shift: float) -> None:
    model, ids = small_nova(), some_ids(2, 20)
    with torch.no_grad():
        model.model.detector.score.bias.add_(shift)  # softmax does not see it, so training may drift there
    logits = read(model, ids)[0]
    model.add_member("samanta")
    torch.testing.assert_close(read(model, ids)[0], logits, atol=1e-6, rtol=0)


def test_a_member_that_was_added_is_saved_and_learns(tmp_path: Path) -> None:
    model, ids = small_nova(), some_ids(4, 20)
    model.add_member("samanta")
    targets = torch.zeros(4, 20, 4)
    targets[:2, :, 3], targets[2:, :, 0] = 1.0, 1.0
    optimizer = torch.optim.AdamW(model.parameters(), 1e-2, weight_decay=0.0)
    for _ in range(60):
        model(ids, labels=ids, member_targets=targets).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    logits, alpha = read(model, ids)
    assert alpha[:2, 8:, 3].mean() > 0.5 > alpha[2:, 8:, 3].mean()
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path).eval()
    assert again.config.members[-1] == "samanta"
    assert torch.equal(read(again, ids)[0], logits)


def test_members_are_not_added_where_there_is_no_room_or_the_name_is_taken() -> None:
    with pytest.raises(UsageError, match="widths sum to d_model"):
        small_nova("concat").add_member("samanta")
    model = small_nova()
    with pytest.raises(UsageError, match="member already"):
        model.add_member("SORA")
    with pytest.raises(UsageError, match="detector"):
        small_nova("uniform").add_member("samanta")
    with pytest.raises(UsageError, match="name"):
        model.add_member(" ")
    assert model.config.members == ["nova", "sora", "lumin"]


def test_the_detector_hears_a_member_by_its_score_alone() -> None:
    model = small_nova()
    assert isinstance(model, NovaForCausalLM)
    with torch.no_grad():
        model.model.detector.score.bias[1] = 60.0
    assert read(model, some_ids(1, 5))[1][..., 1].min() > 0.99


@pytest.mark.parametrize("kind", ["residual", "concat"])
def test_members_colour_the_word_and_not_its_place(kind: str) -> None:
    model, ids, seen = small_nova(kind), torch.full((1, 9), 7), []
    model.model.mixing.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    model(ids)
    assert torch.equal(seen[0], model.get_input_embeddings()(ids))
