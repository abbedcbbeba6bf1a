"""A member's weight set by hand: exact, everywhere, and gone afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from models.tribal.generating import generate, prompt_ids
from models.tribal.sampling import Sampling
from models.tribal.steering import WEIGHT, find_member, read_steering, steered
from schemas.errors import UsageError
from tests.models.tribal.trained import MEMBERS

GREEDY = Sampling(greedy=True)


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.85, 1.0])
@pytest.mark.parametrize("member", MEMBERS)
def test_the_weight_is_what_was_said_and_the_rest_is_shared_as_before(
    opened: Any, member: str, weight: float
) -> None:
    import torch

    model, tokenizer = opened
    ids = torch.tensor([prompt_ids(tokenizer, "Cine ține focul? A hearth?", 128)])
    with torch.no_grad():
        before = model(input_ids=ids, return_alpha=True).alpha
        with steered(model, member, weight):
            out = model(input_ids=ids, return_alpha=True)
        after = model(input_ids=ids, return_alpha=True).alpha
    place = MEMBERS.index(member)
    assert torch.equal(before, after)
    assert out.logits.isfinite().all()
    torch.testing.assert_close(out.alpha[..., place], torch.full_like(out.alpha[..., place], weight))
    torch.testing.assert_close(out.alpha.sum(-1), torch.ones_like(out.alpha.sum(-1)))
    others = [number for number in range(len(MEMBERS)) if number != place]
    first, second = (
        before[..., number] * out.alpha[..., others[::-1][at]] for at, number in enumerate(others)
    )
    torch.testing.assert_close(first, second, atol=1e-5, rtol=1e-3)  # a : b as before


def test_where_nothing_is_left_the_others_get_it_alike(opened: Any) -> None:
    import torch

    model, _ = opened
    sure = torch.tensor([[[0.0, 1.0, 0.0]]]).log()
    hooks = model.model.detector._forward_hooks
    with steered(model, "sora", 0.4):
        (turn,) = hooks.values()
        assert turn(None, None, sure).exp().flatten().tolist() == pytest.approx([0.3, 0.4, 0.3])
    assert not hooks


def test_generation_tells_the_weight_that_was_given(opened: Any) -> None:
    model, tokenizer = opened
    ids = prompt_ids(tokenizer, "What is a hearth?", 128)
    plain = generate(model, tokenizer, ids, GREEDY, 40)
    with steered(model, "lumin", 0.75):
        told = generate(model, tokenizer, ids, GREEDY, 40)
        assert generate(model, tokenizer, ids, GREEDY, 40, use_cache=False).text == told.text
    assert told.alpha is not None
    assert told.alpha["lumin"] == pytest.approx(0.75)
    assert generate(model, tokenizer, ids, GREEDY, 40) == plain


def test_members_are_found_however_they_are_written() -> None:
    assert find_member(["nova", "Șoră"], " sora ") == "Șoră"
    assert read_steering(MEMBERS, "SORA") == ("sora", WEIGHT)
    assert read_steering(MEMBERS, "lumin=0") == ("lumin", 0.0)


@pytest.mark.parametrize(
    "given", ["ada", "", "=0.5", "sora=", "sora=x", "sora=nan", "sora=-0.1", "sora=1.01"]
)
def test_what_is_no_member_or_no_weight_is_refused(given: str) -> None:
    with pytest.raises(UsageError) as refused:
        read_steering(MEMBERS, given)
    assert "--member" in str(refused.value.where)
