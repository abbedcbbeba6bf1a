"""generate(), as the library's own models are asked for it: cache, beams, batches, drafts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import StaticCache

from tests.models.tribal.tribes import CONTEXT, KINDS, small_nova, some_ids

MODELS = {(kind, how): small_nova(kind, how) for kind in KINDS for how in ("sdpa", "eager")}
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=["-".join(key) for key in MODELS])
NEW = 16


def continued(model: Any, ids: torch.Tensor, **how: Any) -> torch.Tensor:
    """New tokens [B, NEW]; no end mark comes before."""
    settings = {"do_sample": False, "max_new_tokens": NEW, "min_new_tokens": NEW} | how
    mask = settings.pop("attention_mask", torch.ones_like(ids))
    out: torch.Tensor = model.generate(ids, attention_mask=mask, **settings)
    return out[:, ids.shape[1] :]


@each_model
def test_greedy_with_a_cache_is_greedy_without(model: Any) -> None:
    ids = some_ids(2, 6)
    expected = continued(model, ids, use_cache=False)
    assert torch.equal(continued(model, ids), expected)
    steps = ids
    with torch.no_grad():
        for _ in range(NEW):
            scores = model(steps, use_cache=False).logits[:, -1]
            scores[:, model.config.eos_token_id] = -torch.inf
            steps = torch.cat((steps, scores.argmax(-1, keepdim=True)), 1)
    assert torch.equal(steps[:, 6:], expected)


@each_model
def test_beams_with_a_cache_are_beams_without(model: Any) -> None:
    ids = some_ids(2, 6)
    found = continued(model, ids, num_beams=4, num_return_sequences=4)
    assert torch.equal(found, continued(model, ids, num_beams=4, num_return_sequences=4, use_cache=False))
    assert len({tuple(row.tolist()) for row in found}) > 2


@each_model
@pytest.mark.parametrize("beams", [1, 3])
def test_a_left_padded_batch_says_what_each_text_says_alone(model: Any, beams: int) -> None:
    lengths = (9, 4, 1)
    texts = [some_ids(1, n, seed=n) for n in lengths]
    ids = torch.cat([torch.cat((torch.zeros(1, 9 - t.shape[1], dtype=torch.long), t), 1) for t in texts])
    together = continued(model, ids, attention_mask=(ids > 0).long(), num_beams=beams)
    for row, text in zip(together, texts, strict=True):
        assert torch.equal(row, continued(model, text, num_beams=beams)[0])


@each_model
def test_drafts_change_nothing(model: Any) -> None:
    ids = some_ids(1, 8).repeat(1, 2)
    expected = continued(model, ids)
    assert torch.equal(continued(model, ids, prompt_lookup_num_tokens=3), expected)
    draft = small_nova("residual", seed=7)
    assert torch.equal(continued(model, ids, assistant_model=draft), expected)


@each_model
def test_a_static_cache_changes_nothing(model: Any) -> None:
    ids = some_ids(2, 6)
    cache = StaticCache(config=model.config, max_cache_len=CONTEXT)
    assert torch.equal(
        continued(model, ids, past_key_values=cache, disable_compile=True), continued(model, ids)
    )


def test_sampling_is_fixed_by_its_seed_and_ends_at_the_end_mark() -> None:
    model, ids, found = MODELS["residual", "sdpa"], some_ids(1, 4), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        found.append(model.generate(ids, do_sample=True, max_new_tokens=40, top_k=0)[0].tolist())
    assert found[0] == found[1] != found[2]
    ends = [row for row in found if 1 in row]
    assert all(row.index(1) == len(row) - 1 for row in ends)


def test_a_prompt_and_its_answer_that_exceed_the_context_are_refused_in_a_line() -> None:
    with pytest.raises(ValueError, match=f"context of {CONTEXT}"):
        continued(MODELS["residual", "sdpa"], some_ids(1, CONTEXT - 3))


def test_the_model_computes_in_bfloat16_and_tells_alpha_in_fp32() -> None:
    ids, exact = some_ids(2, 12), MODELS["residual", "sdpa"]
    rough = small_nova("residual").to(torch.bfloat16)
    with torch.no_grad():
        told, expected = rough(ids, return_alpha=True), exact(ids, return_alpha=True)
    assert told.logits.dtype is torch.bfloat16
    assert told.alpha.dtype is torch.float32
    torch.testing.assert_close(told.alpha, expected.alpha, atol=0.05, rtol=0)
    torch.testing.assert_close(told.logits.float(), expected.logits, atol=0.6, rtol=0.1)
    assert continued(rough, ids).shape == (2, NEW)
