"""A nova-tiny trained on this project's own prose: what 8 bits cost a model that has learnt something."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from benchmarks.nova_models import make

ROOT = Path(__file__).parent.parent
#: Tokens of a window; what is held out is cut into as many.
WINDOW = 256


def read_prose() -> tuple[str, str]:
    """The project's Markdown pages in nine parts of ten, and the rest, paragraph by paragraph."""
    pages = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks" / "RESULTS.md"])
    paragraphs = [p for page in pages for p in page.read_text("utf-8").split("\n\n")]
    kept = "\n\n".join(p for number, p in enumerate(paragraphs) if number % 10)
    return kept, "\n\n".join(paragraphs[::10])


def windows(tokenizer: Any, text: str) -> Any:
    """Token ids [W, WINDOW + 1] of a text, cut where a window ends; what does not fill one is left out."""
    import torch

    ids = torch.tensor(tokenizer(text)["input_ids"])
    count = (len(ids) - 1) // WINDOW
    return torch.stack([ids[n * WINDOW : (n + 1) * WINDOW + 1] for n in range(count)])


def bits_per_byte(model: Any, held_out: Any, size: int) -> float:
    """Bits that a model needs per byte of a text of `size` bytes, given as windows."""
    import torch
    from torch.nn.functional import cross_entropy

    model.eval()
    nats = 0.0
    with torch.inference_mode():
        for rows in held_out.split(8):
            logits = model(input_ids=rows[:, :-1], use_cache=False).logits
            nats += cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten(), reduction="sum").item()
    return nats / math.log(2) / size


def train(side: str, steps: int, **changes: Any) -> tuple[Any, Any, int]:
    """The model after `steps` steps of eight windows, the windows held out, and how many bytes they are."""
    import torch

    from models.chat_tokenizer import train_tokenizer

    kept, rest = read_prose()
    tokenizer = train_tokenizer([kept], 2048, 10**9)  # one text of many windows
    data, held_out = windows(tokenizer, kept), windows(tokenizer, rest)
    size = sum(len(tokenizer.decode(row[1:]).encode()) for row in held_out)
    model = make(side, "nova-tiny", **({"vocab_size": len(tokenizer)} | changes)).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, total_steps=steps + 1, pct_start=0.05)
    chance = torch.Generator().manual_seed(1)
    for _ in range(steps):
        rows = data[torch.randint(len(data), (8,), generator=chance)]
        model(input_ids=rows, labels=rows).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        rate.step()
    return model.eval(), held_out, size
