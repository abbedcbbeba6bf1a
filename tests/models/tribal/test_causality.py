"""What stands later changes nothing before it, and a cache changes nothing at all."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.models.tribal.tribes import CONTEXT, KINDS, VOCABULARY, small_nova, some_ids

MODELS = {(kind, how): small_nova(kind, how) for kind in KINDS for how in ("sdpa", "eager")}
LENGTH = 20
each_model = pytest.mark.parametrize("model", MODELS.values(), ids=["-".join(key) for key in MODELS])


@torch.no_grad()
def read(model: Any, ids: torch.Tensor, **more: Any) -> tuple[torch.Tensor, torch.Tensor]:
    out = model(input_ids=ids, return_alpha=True, **more)
    return out.logits, out.alpha


@each_model
@settings(max_examples=15, deadline=None)
@given(place=st.integers(1, LENGTH - 1), seed=st.integers(0, 2**16), everything=st.booleans())
def test_later_tokens_change_nothing_before_them(model: Any, place: int, seed: int, everything: bool) -> None:
    ids = some_ids(2, LENGTH, seed)
    other = ids.clone()
    if everything:
        other[:, place:] = some_ids(2, LENGTH - place, seed + 1)
    other[:, place] = (ids[:, place] + 1) % VOCABULARY
    (logits, alpha), (changed, changed_alpha) = read(model, ids), read(model, other)
    assert torch.equal(logits[:, :place], changed[:, :place])
    assert torch.equal(alpha[:, :place], changed_alpha[:, :place])
    assert not torch.equal(logits[:, place:], changed[:, place:])


@each_model
@settings(max_examples=15, deadline=None)
@given(cuts=st.sets(st.integers(1, LENGTH - 1), max_size=LENGTH - 1), seed=st.integers(0, 2**16))
def test_a_text_read_in_pieces_gives_what_it_gives_at_once(model: Any, cuts: set[int], seed: int) -> None:
    ids = some_ids(2, LENGTH, seed)
    logits, alpha = read(model, ids)
    cache, pieces = None, []
    edges = [0, *sorted(cuts), LENGTH]
    for begin, end in zip(edges, edges[1:], strict=False):
        with torch.no_grad():
            out = model(input_ids=ids[:, begin:end], past_key_values=cache, use_cache=True, return_alpha=True)
        cache = out.past_key_values
        pieces.append((out.logits, out.alpha))
    assert cache.get_seq_length() == LENGTH
    torch.testing.assert_close(torch.cat([p[0] for p in pieces], 1), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.cat([p[1] for p in pieces], 1), alpha, atol=1e-5, rtol=0)


@each_model
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=2, max_size=4), seed=st.integers(0, 2**16))
def test_packed_windows_do_not_see_one_another(model: Any, lengths: list[int], seed: int) -> None:
    ids = some_ids(1, sum(lengths), seed)
    places = torch.cat([torch.arange(length) for length in lengths])[None]
    logits, alpha = read(model, ids, position_ids=places)
    for part, part_logits, part_alpha in zip(
        ids.split(lengths, 1), logits.split(lengths, 1), alpha.split(lengths, 1), strict=True
    ):
        alone, alone_alpha = read(model, part)
        torch.testing.assert_close(part_logits, alone, atol=1e-5, rtol=0)
        torch.testing.assert_close(part_alpha, alone_alpha, atol=1e-5, rtol=0)


@each_model
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_changes_nothing(model: Any, side: str) -> None:
    ids, lengths = some_ids(3, LENGTH), (LENGTH, 7, 1)
    padded, mask = torch.zeros_like(ids), torch.zeros_like(ids)
    spans = [slice(LENGTH - n, LENGTH) if side == "left" else slice(0, n) for n in lengths]
    for row, (span, length) in enumerate(zip(spans, lengths, strict=True)):
        padded[row, span], mask[row, span] = ids[row, :length], 1
    logits, alpha = read(model, padded, attention_mask=mask)
    for row, (span, length) in enumerate(zip(spans, lengths, strict=True)):
        alone, alone_alpha = read(model, ids[row : row + 1, :length])
        torch.testing.assert_close(logits[row, span], alone[0], atol=1e-5, rtol=0)
        torch.testing.assert_close(alpha[row, span], alone_alpha[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_eager_attention_says_what_sdpa_says_and_shows_causal_weights(kind: str) -> None:
    ids = some_ids(2, LENGTH)
    logits, alpha = read(MODELS[kind, "sdpa"], ids)
    with torch.no_grad():
        out = MODELS[kind, "eager"](ids, return_alpha=True, output_attentions=True, output_hidden_states=True)
    torch.testing.assert_close(out.logits, logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(out.alpha, alpha, atol=1e-5, rtol=0)
    assert [tuple(a.shape) for a in out.attentions] == [(2, 3, LENGTH, LENGTH)] * 2
    for weights in out.attentions:
        torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, LENGTH))
        assert not weights.triu(1).any()
    assert len(out.hidden_states) == 3


@each_model
def test_weights_of_members_sum_to_one(model: Any) -> None:
    alpha = read(model, some_ids(4, LENGTH))[1]
    assert alpha.shape == (4, LENGTH, len(model.config.members))
    torch.testing.assert_close(alpha.sum(-1), torch.ones(4, LENGTH))
    assert alpha.min() >= 0


def test_alpha_is_told_only_when_it_is_asked_for() -> None:
    assert MODELS["residual", "sdpa"](some_ids(1, 3)).alpha is None


@pytest.mark.parametrize("how", ["at once", "in pieces", "left padded"])
def test_more_tokens_than_the_context_are_refused_in_a_line(how: str) -> None:
    model, ids = MODELS["residual", "sdpa"], some_ids(1, CONTEXT + 1)
    model(ids[:, :CONTEXT])
    with pytest.raises(ValueError, match=f"{CONTEXT + 1} tokens are more than the context of {CONTEXT}"):
        if how == "in pieces":
            cache = model(ids[:, :CONTEXT], use_cache=True).past_key_values
            model(ids[:, CONTEXT:], past_key_values=cache)
        elif how == "left padded":
            model(ids, attention_mask=torch.ones_like(ids))
        else:
            model(ids)


def test_padding_does_not_count_towards_the_context() -> None:
    model, ids = MODELS["residual", "sdpa"], some_ids(1, CONTEXT)
    padded = torch.cat((torch.zeros(1, 9, dtype=torch.long), ids), 1)
    mask = (padded > 0).long()
    torch.testing.assert_close(
        read(model, padded, attention_mask=mask)[0][:, 9:], read(model, ids)[0], atol=1e-5, rtol=0
    )


def test_places_beyond_the_context_are_refused_in_a_line() -> None:
    with pytest.raises(ValueError, match=f"context of {CONTEXT}"):
        MODELS["residual", "sdpa"](some_ids(1, 1), position_ids=torch.tensor([[CONTEXT]]))


def test_ids_and_embeddings_are_not_both_taken_and_say_the_same() -> None:
    model, ids = MODELS["residual", "sdpa"], some_ids(1, 5)
    embedded = model.get_input_embeddings()(ids)
    torch.testing.assert_close(model(inputs_embeds=embedded).logits, model(ids).logits)
    with pytest.raises(ValueError, match="either"):
        model(input_ids=ids, inputs_embeds=embedded)
    with pytest.raises(ValueError, match="either"):
        model()
