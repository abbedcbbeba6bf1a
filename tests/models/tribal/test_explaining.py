"""What a NOVA sees in a text: checked against its own forward pass and against finite differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from models.tribal.attribution import attribute
from models.tribal.explaining import MAP_TOKENS, check_choice, explain, text_ids
from schemas.errors import UsageError
from tests.models.tribal.trained import MEMBERS, train

TEXT = "Șed lângă foc. 13 follows 8, for 5 + 8 = 13. 日"


def test_alpha_and_the_next_token_are_those_of_a_forward_pass(eager: Any) -> None:
    import torch

    model, tokenizer = eager
    ids = text_ids(tokenizer, TEXT, 128, "user")
    explained = explain(model, tokenizer, ids)
    with torch.no_grad():
        out = model(input_ids=torch.tensor([ids]), return_alpha=True)
    np.testing.assert_allclose(explained.alpha, out.alpha[0].numpy(), atol=1e-6)
    assert explained.mean == pytest.approx(dict(zip(MEMBERS, explained.alpha.mean(0), strict=True)), abs=1e-6)
    chances = out.logits[0, -1].softmax(-1).sort(descending=True).values[:10]
    assert [chance for _, chance in explained.next] == pytest.approx(chances.tolist(), abs=1e-6)


def test_what_the_tokens_add_is_the_text(eager: Any) -> None:
    model, tokenizer = eager
    explained = explain(model, tokenizer, text_ids(tokenizer, TEXT, 128, "user"))
    assert "".join(explained.text) == TEXT
    assert [label for label, mark in zip(explained.labels, explained.marks, strict=True) if mark] == [
        "<|user|>",
        "<|end|>",
        "<|assistant|>",
    ]
    assert explained.text[-5:-2] == ["", "", "日"]


def test_every_head_of_every_layer_and_the_detector_looks_back_only(eager: Any) -> None:
    model, tokenizer = eager
    explained = explain(model, tokenizer, text_ids(tokenizer, TEXT * 2, 128, "none"))
    assert [(one.layer, one.head) for one in explained.heads] == [(0, 1), (1, 1), (1, 2), (2, 1), (2, 2)]
    assert len(explained.labels) > MAP_TOKENS
    for one in explained.heads:
        assert one.weights.shape == (MAP_TOKENS, MAP_TOKENS)
        np.testing.assert_allclose(one.weights.sum(-1), 1, atol=1e-5)
        assert np.triu(one.weights, 1).max() == 0


@pytest.mark.parametrize("member", MEMBERS)
def test_attribution_sums_to_what_the_text_changes(eager: Any, member: str) -> None:
    import torch

    model, tokenizer = eager
    for text in (TEXT, "Eu țin focul, și focul ne ține împreună.", "A"):
        ids = torch.tensor([text_ids(tokenizer, text, 128, "assistant")])
        traced = attribute(model, ids, member)
        assert traced is not None
        with torch.no_grad():
            alpha = model(input_ids=ids, return_alpha=True).alpha[0, :, MEMBERS.index(member)]
        assert traced.reached == pytest.approx(float(alpha.mean()), abs=1e-5)
        assert abs(traced.missing) < 2e-3
        assert len(traced.integrated) == ids.shape[1]


def test_local_attribution_is_what_a_small_change_does(eager: Any) -> None:
    """Gradient x input of a token is the slope of alpha as what the detector reads of that token grows."""
    import torch

    model, tokenizer = eager
    ids = torch.tensor([text_ids(tokenizer, "Eu țin focul.", 128, "assistant")])
    traced = attribute(model, ids, "sora")
    assert traced is not None
    for place in range(ids.shape[1]):
        up, down = (_grown(model, ids, place, 1 + step) for step in (1e-2, -1e-2))
        assert traced.local[place] == pytest.approx((up - down) / 2e-2, abs=2e-3)
    assert max(map(abs, traced.local)) > 0.01  # at the embedding itself it would be 0: a norm follows


def _grown(model: Any, ids: Any, place: int, factor: float) -> float:
    """Sora's mean alpha when one token's normed embedding is multiplied."""
    import torch

    def grow(module: Any, given: Any, out: Any) -> Any:
        grown = out.clone()
        grown[0, place] *= factor
        return grown

    hook = model.model.detector.norm.register_forward_hook(grow)
    with torch.no_grad():
        alpha = model(input_ids=ids, return_alpha=True).alpha[0, :, MEMBERS.index("sora")]
    hook.remove()
    return float(alpha.mean())


def test_traced_is_the_strongest_beside_the_core_unless_named(eager: Any) -> None:
    model, tokenizer = eager
    ids = text_ids(tokenizer, "The fire is kept in the hearth, behind the stones.", 128, "assistant")
    explained = explain(model, tokenizer, ids)
    assert explained.attribution is not None
    assert explained.attribution.member == max(MEMBERS[1:], key=lambda name: explained.mean[name])
    named = explain(model, tokenizer, ids, "nova").attribution
    assert named is not None
    assert named.member == "nova"


def test_gates_are_those_of_the_model(eager: Any) -> None:
    model, tokenizer = eager
    explained = explain(model, tokenizer, text_ids(tokenizer, TEXT, 128, "assistant"))
    assert [gate.member for gate in explained.gates] == MEMBERS[1:]
    for number, gate in enumerate(explained.gates):
        alpha = explained.alpha[:, number + 1]
        opened = alpha / (1 + np.exp(-gate.steepness * (alpha - gate.threshold)))
        assert (gate.mean, gate.most) == pytest.approx((opened.mean(), opened.max()), abs=1e-5)
        assert 0 <= gate.loudest <= model.config.resonance_limit * gate.most + 1e-6


@pytest.mark.parametrize("changes", [{"detector": "uniform"}, {"mixing": "concat"}])
def test_other_novas_are_explained_too(tmp_path: Any, changes: dict[str, str]) -> None:
    from models.tribal.opening import open_nova

    train(tmp_path, steps=1, d_model=16, n_layers=1, **changes)
    model, tokenizer = open_nova(tmp_path, attention="eager")
    explained = explain(model, tokenizer, text_ids(tokenizer, "Focul", 128, "assistant"))
    uniform = "detector" in changes
    assert (explained.attribution is None) == uniform
    assert [one.layer for one in explained.heads] == ([1, 1] if uniform else [0, 1, 1])
    assert len(explained.gates) == 2


def test_what_the_nova_does_not_have_is_refused(eager: Any) -> None:
    config = eager[0].config
    with pytest.raises(UsageError, match=r"'ada' is no member.*nova, sora, lumin"):
        check_choice(config, "ada", None, None)
    with pytest.raises(UsageError, match="layers 1 to 2, not 3"):
        check_choice(config, "sora", 3, 1)
    with pytest.raises(UsageError, match="heads 1 to 2, not 0"):
        check_choice(config, None, 2, 0)
    assert check_choice(config, "Lumin ", 2, 2) == "lumin"


def test_empty_and_too_long_texts_are_refused(eager: Any) -> None:
    with pytest.raises(UsageError, match="the text is empty"):
        text_ids(eager[1], " ", 128, "none")
    with pytest.raises(UsageError, match=r"129 tokens, .* holds 128"):
        text_ids(eager[1], "Q" * 128, 128, "assistant")
    assert len(text_ids(eager[1], "Q" * 127, 128, "assistant")) == 128
