"""The two losses, and what training leans on: accumulation, checkpointed activations, ignored labels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.models.tribal.tribes import KINDS, VOCABULARY, small_nova, some_ids


def targets_for(ids: torch.Tensor, members: int = 3, seed: int = 0) -> torch.Tensor:
    """Soft targets [B, T, N] with weights between 0 and 1; every third position is not known."""
    chance = torch.Generator().manual_seed(seed)
    targets = torch.rand(*ids.shape, members, generator=chance).softmax(-1)
    targets = targets * torch.rand(*ids.shape, 1, generator=chance)
    targets[:, ::3] = 0
    return targets


def gradients(model: Any) -> dict[str, torch.Tensor]:
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    return found


def assert_equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor], atol: float = 1e-6) -> None:
    assert one.keys() == other.keys()
    for name in one:
        torch.testing.assert_close(
            one[name], other[name], atol=atol, rtol=1e-4, msg=lambda m, n=name: f"{n}: {m}"
        )


@pytest.mark.parametrize("kind", ["residual", "concat"])
def test_the_loss_is_both_losses_as_they_are_defined(kind: str) -> None:
    model, ids = small_nova(kind, label_loss_weight=0.3), some_ids(2, 12)
    labels, targets = ids.clone(), targets_for(ids)
    labels[0, :5] = -100
    out = model(ids, labels=labels, member_targets=targets, return_alpha=True)
    lm = cross_entropy(out.logits[:, :-1].reshape(-1, VOCABULARY), labels[:, 1:].reshape(-1))
    cost = -(targets * out.alpha.log()).sum()
    torch.testing.assert_close(out.lm_loss, lm)
    torch.testing.assert_close(out.label_loss, cost / targets.sum())
    torch.testing.assert_close(out.loss, lm + 0.3 * cost / (labels[:, 1:] != -100).sum())
    assert out.past_key_values is None


def test_positions_whose_speaker_is_not_known_teach_the_detector_nothing() -> None:
    model, ids = small_nova(), some_ids(1, 9)
    targets = torch.zeros(1, 9, 3)
    out = model(ids, labels=ids, member_targets=targets)
    assert out.label_loss == 0
    assert out.loss == out.lm_loss
    targets[0, 4, 1] = 1.0
    out = model(ids, member_targets=targets, return_alpha=True)
    torch.testing.assert_close(out.label_loss, -out.alpha[0, 4, 1].log())


def test_without_labels_the_members_can_be_learned_alone() -> None:
    model, ids = small_nova(label_loss_weight=0.3), some_ids(2, 9)
    out = model(ids, member_targets=targets_for(ids))
    assert out.lm_loss is None
    torch.testing.assert_close(out.loss, 0.3 * out.label_loss)


@pytest.mark.parametrize("kind", KINDS)
def test_accumulated_batches_are_one_big_batch(kind: str) -> None:
    model, ids = small_nova(kind).train(), some_ids(6, 12)
    labels = ids.clone()
    labels[0, :9], labels[5] = -100, -100  # parts with few tokens that carry loss
    targets = targets_for(ids, len(model.config.members))
    whole = model(ids, labels=labels, member_targets=targets)
    whole.loss.backward()
    expected, items, total = gradients(model), (labels[:, 1:] != -100).sum(), 0.0
    for rows in (slice(0, 1), slice(1, 4), slice(4, 6)):
        part = model(ids[rows], labels=labels[rows], member_targets=targets[rows], num_items_in_batch=items)
        part.loss.backward()
        total += part.loss.item()
    assert total == pytest.approx(whole.loss.item(), rel=1e-5)
    assert_equal(gradients(model), expected)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("reentrant", [False, True])
@pytest.mark.parametrize("labelled", [False, True])
def test_checkpointed_activations_give_the_same_gradients(kind: str, reentrant: bool, labelled: bool) -> None:
    model, ids = small_nova(kind).train(), some_ids(2, 12)
    places = torch.cat((torch.arange(7), torch.arange(5)))[None].expand(2, -1)
    targets = targets_for(ids, len(model.config.members))

    def learn() -> dict[str, torch.Tensor]:
        if labelled:
            model(ids, position_ids=places, labels=ids, member_targets=targets).loss.backward()
        else:  # nothing told the library that no cache is wanted
            model(ids, position_ids=places).logits.square().mean().backward()
        return gradients(model)

    expected = learn()
    model.gradient_checkpointing_enable({"use_reentrant": reentrant})
    assert_equal(learn(), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_every_weight_is_reached_by_the_loss(kind: str) -> None:
    model, ids = small_nova(kind).train(), some_ids(2, 12)
    targets = targets_for(ids, len(model.config.members))
    model(ids, labels=ids, member_targets=targets).loss.backward()
    idle = [n for n, w in model.named_parameters() if w.numel() and (w.grad is None or not w.grad.any())]
    assert not [name for name in idle if kind != "alone" or "detector" not in name]  # alone: nobody to weigh


def test_dropout_is_at_work_in_training_and_nowhere_else() -> None:
    model, ids = small_nova(dropout=0.5), some_ids(2, 12)
    assert torch.equal(model(ids).logits, model(ids).logits)
    model.train()
    assert not torch.equal(model(ids).logits, model(ids).logits)
