"""int8: what is converted, what is not, and that a trained NOVA still says what it learned."""

from __future__ import annotations

import warnings
from typing import Any

from models.tribal.generating import generate, prompt_ids
from models.tribal.quantising import quantise
from models.tribal.sampling import Sampling
from tests.models.tribal.trained import TALK, encode


def test_blocks_and_head_are_converted_and_the_model_stays(opened: Any) -> None:
    import torch

    model, _ = opened
    before = {name: weights.clone() for name, weights in model.state_dict().items()}
    small = quantise(model)
    after = dict(small.named_modules())
    linear = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    converted = [name for name in linear if type(after[name]) is not torch.nn.Linear]
    assert converted == [name for name in linear if name.startswith("model.blocks") or name == "lm_head"]
    assert len(converted) == 4 * model.config.n_layers + 1
    assert all(torch.equal(weights, before[name]) for name, weights in model.state_dict().items())
    assert model.lm_head.weight is model.model.token_embedding.weight


def test_what_was_learned_is_still_said_and_by_whom(opened: Any) -> None:
    model, tokenizer = opened
    small = quantise(model)
    for member, pairs in TALK.items():
        for asked, said in pairs:
            told = generate(small, tokenizer, prompt_ids(tokenizer, asked, 128), Sampling(greedy=True), 90)
            assert (told.text, told.strongest) == (said, member)


def test_it_costs_little_of_what_was_learned(opened: Any) -> None:
    """Measured in nats per token of the replies; and alpha is the same to the bit: the detector is not converted."""
    import torch

    model, tokenizer = opened
    small = quantise(model)
    for ids, labels, _ in encode(tokenizer):
        given = {"input_ids": torch.tensor([ids]), "labels": torch.tensor([labels]), "return_alpha": True}
        with torch.no_grad():
            exact, rounded = model(**given), small(**given)
        assert 0 < abs(rounded.loss - exact.loss) < 0.02
        assert torch.equal(rounded.alpha, exact.alpha)


def test_nothing_of_the_librarys_warnings_is_heard(opened: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantise(opened[0])
