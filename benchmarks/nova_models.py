"""The models of `benchmarks.nova`: NOVA by preset, a GPT-2 of the same shape, and the bare products of its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PRESETS = Path(__file__).parent.parent / "schemas" / "presets" / "tribal"


def nova_config(preset: str, **changes: Any) -> Any:
    """The configuration of a NOVA as a preset says it, without end mark: all arms generate as many tokens."""
    from models.tribal.configuration import NovaConfig
    from schemas.settings.tribal import TribalPreset

    said = TribalPreset.model_validate(yaml.safe_load((PRESETS / f"{preset}.yaml").read_text("utf-8")))
    settings = {
        "vocab_size": said.vocab_size, "d_model": said.d_model, "n_layers": said.layers, "n_heads": said.heads,
        "context": said.context, "members": said.members, "mixing": said.mixing, "member_rank": said.member_rank,
        "detector_dim": said.detector_dim, "label_loss_weight": said.label_loss_weight, "dropout": said.dropout,
        "eos_token_id": None, "pad_token_id": 0,
    }  # fmt: skip
    return NovaConfig(**(settings | changes))


def make(side: str, preset: str, seed: int = 0, **changes: Any) -> Any:
    """NOVA ("nova") or transformers' GPT-2 ("gpt2") with random weights, of one shape, with dropout in the same places."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    from models.tribal.modeling import NovaForCausalLM

    config = nova_config(preset, **changes)
    torch.manual_seed(seed)
    if side == "nova":
        return NovaForCausalLM(config)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_embd=config.d_model,
            n_layer=config.n_layers,
            n_head=config.n_heads,
            n_positions=config.context,
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=ATTENTION_DROPOUT,
            bos_token_id=None,
            eos_token_id=None,
            pad_token_id=0,
            loss_type="ForCausalLM",
        )  # fmt: skip
    )


#: NOVA has none: see models/tribal/blocks.py.
ATTENTION_DROPOUT = 0.0


def parameters_of(preset: str) -> int:
    """Weights of a preset's NOVA, the tied head counted once."""
    import torch

    from models.tribal.modeling import NovaForCausalLM

    with torch.device("meta"):
        model = NovaForCausalLM(nova_config(preset))
    return sum(weight.numel() for weight in model.parameters())


def presets() -> list[str]:
    """Names of all presets."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def matrices(model: Any) -> list[Any]:
    """Every matrix that a token is multiplied by, the head's too."""
    from torch import nn

    return [module.weight for module in model.modules() if isinstance(module, nn.Linear)]


def packed_batch(vocab_size: int, rows: int, length: int, members: int) -> dict[str, Any]:
    """What a training step is given: three windows in a row, labels, and who speaks at two positions of three."""
    import torch

    chance = torch.Generator().manual_seed(1)
    ids = torch.randint(2, vocab_size, (rows, length), generator=chance)
    first, second = length * 2 // 5, length * 2 // 5
    places = torch.cat([torch.arange(n) for n in (first, second, length - first - second)])
    targets = torch.rand(rows, length, members, generator=chance).softmax(-1)
    targets[:, ::3] = 0
    places = places.expand(rows, -1).contiguous()
    return {"input_ids": ids, "position_ids": places, "labels": ids, "member_targets": targets}
