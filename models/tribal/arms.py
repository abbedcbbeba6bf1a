"""What NOVA is compared with: each arm is another model, or another teaching of it, on the same data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from models.tribal.job import build_nova, nova_config
from models.tribal.preparing import Prepared, shuffle_labels
from schemas.errors import SettingsError
from schemas.settings.tribal import TribalPreset

NOVA, GPT2 = "nova", "gpt2"


@dataclass(frozen=True)
class Arm:
    """One side of a comparison. `changes` are fields of the NovaConfig; `others`: labels of other conversations."""

    name: str
    told: str
    changes: dict[str, Any] = field(default_factory=dict)
    others: bool = False


ARMS: dict[str, Arm] = {
    arm.name: arm
    for arm in (
        Arm(NOVA, "NOVA as the preset has it"),
        Arm(GPT2, "a GPT-2 of the same layers, width, heads, context and tokenizer"),
        Arm("uniform", "NOVA with the same alpha for every member everywhere", {"detector": "uniform"}),
        Arm("shuffled", "NOVA taught with the labels of other conversations", others=True),
        Arm("unlabelled", "NOVA whose alpha is taught by no labels", {"label_loss_weight": 0.0}),
        Arm(
            "concat", "NOVA with members as slices side by side", {"mixing": "concat", "member_widths": None}
        ),
        Arm(
            "residual",
            "NOVA with members as adapters in full width",
            {"mixing": "residual", "member_widths": None},
        ),
    )
}


def default_arms(preset: TribalPreset) -> tuple[str, ...]:
    """All arms but the one that is the preset itself."""
    return tuple(name for name in ARMS if name != preset.mixing)


def check_arms(names: Sequence[str], preset: TribalPreset) -> tuple[str, ...]:
    """The arms in their usual order, each once, NOVA always among them. Raises SettingsError for one that is none."""
    for name in names:
        if name not in ARMS:
            raise SettingsError(
                f"there is no arm {name[:40]!r}",
                where="--arms",
                fix=f"There are: {', '.join(default_arms(preset))}.",
            )
        if name == preset.mixing:
            raise SettingsError(
                f"the preset's mixing is {name} already, so that arm is {NOVA} itself",
                where="--arms",
                fix=f"There are: {', '.join(default_arms(preset))}.",
            )
    return tuple(name for name in ARMS if name in names or name == NOVA)


def equip(arm: Arm, prepared: Prepared, seed: int) -> tuple[Callable[[], Any], Prepared]:
    """What makes the arm's model with the weights of a seed, and the data that it is taught with, in that order."""
    seeded = replace(prepared, preset=prepared.preset.model_copy(update={"seed": seed}))
    if arm.others:
        seeded = replace(seeded, train=shuffle_labels(prepared.train, seed))
    if arm.name == GPT2:
        return (lambda: build_gpt2(seeded, seed)), seeded
    config = nova_config(seeded, **arm.changes)
    return (lambda: build_nova(config, seed)), seeded


def build_gpt2(prepared: Prepared, seed: int) -> Any:
    """The library's GPT-2 in the preset's shape, with weights that the seed fixes."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    preset, tokenizer = prepared.preset, prepared.tokenizer
    torch.manual_seed(seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=len(tokenizer),
            n_positions=preset.context,
            n_embd=preset.d_model,
            n_layer=preset.layers,
            n_head=preset.heads,
            resid_pdrop=preset.dropout,
            embd_pdrop=preset.dropout,
            attn_pdrop=0.0,  # as in NOVA
            bos_token_id=None,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
            use_cache=False,  # with a cache, it does not keep packed windows apart
        )
    )
