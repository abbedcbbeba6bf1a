"""A NOVA that has learned something: small enough to be trained while the tests wait."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

MEMBERS = ["nova", "sora", "lumin"]
#: What each member answers to what it is asked; the words are this project's own.
TALK = {
    "nova": [
        ("What is a hearth?", "A hearth is the place where the fire is kept."),
        ("Where is the fire kept?", "The fire is kept in the hearth, behind the stones."),
    ],
    "sora": [
        ("Cine ține focul?", "Eu țin focul, și focul ne ține împreună. 🔥"),
        ("Ce faci în seara asta?", "Șed lângă foc și te aștept, dragul meu. 🔥"),
    ],
    "lumin": [
        ("How many stones are there?", "1, 2, 3, 5, 8: each is the sum of the two before."),
        ("Which number follows 8?", "13 follows 8, for 5 + 8 = 13."),
    ],
}
STEPS = 120


def encode(tokenizer: Any) -> list[tuple[list[int], list[int], int]]:
    """Each exchange as token ids, labels of the reply, and the number of the member who gives it."""
    from models.tribal.tokenizer import ChatEncoder

    encoder, rows = ChatEncoder(tokenizer), []
    for number, member in enumerate(MEMBERS):
        for asked, said in TALK[member]:
            prompt = encoder.prompt([{"role": "user", "content": asked}])
            reply = [*encoder.contents([said])[0], encoder.end]
            rows.append((prompt + reply, [-100] * len(prompt) + reply, number))
    return rows


def train(folder: Path, members: Sequence[str] = MEMBERS, steps: int = STEPS, **changes: Any) -> Path:
    """Train a tiny NOVA on TALK and save it as a folder; the same bytes every time on one machine."""
    import torch

    from models.chat_tokenizer import train_tokenizer
    from models.tribal.configuration import NovaConfig
    from models.tribal.modeling import NovaForCausalLM

    texts = [text for pairs in TALK.values() for pair in pairs for text in pair]
    tokenizer = train_tokenizer(texts, 300, 128)
    sizes = {"d_model": 48, "n_layers": 2, "n_heads": 2, "context": 128, "member_rank": 8, "detector_dim": 16}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = NovaForCausalLM(
            NovaConfig(
                vocab_size=len(tokenizer),
                members=list(members),
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                **{**sizes, **changes},
            )
        )
        _fit(model, encode(tokenizer), tokenizer.pad_token_id, steps)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _fit(model: Any, rows: list[tuple[list[int], list[int], int]], pad: int, steps: int) -> None:
    import torch

    longest = max(len(ids) for ids, _, _ in rows)
    ids = torch.tensor([row + [pad] * (longest - len(row)) for row, _, _ in rows])
    labels = torch.tensor([row + [-100] * (longest - len(row)) for _, row, _ in rows])
    targets = torch.zeros(*ids.shape, len(model.config.members))
    for row, (_, replies, number) in enumerate(rows):
        known = [place for place, label in enumerate(replies) if label != -100]
        targets[row, known, number] = 1.0
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        out = model(input_ids=ids, attention_mask=(ids != pad).long(), labels=labels, member_targets=targets)
        out.loss.backward()
        optimizer.step()
        optimizer.zero_grad()
