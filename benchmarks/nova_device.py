"""NOVA on an accelerator: milliseconds per token, eager and as a graph; training tokens per second; utilisation."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.nova_measures import PROMPT
from benchmarks.nova_models import make, packed_batch

#: Rows and tokens of a training batch, and dense bf16 FLOP/s by the device's name, for the utilisation.
ROWS, LENGTH, STEPS = 16, 1024, 10
PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40": 181e12, "4090": 165e12}


def measure_device(tokens: int) -> dict[str, Any]:
    """Both sides on the first CUDA device, in wall time (a device's own); says so where there is none."""
    import torch

    if not torch.cuda.is_available():
        return {"not_run": "no CUDA device"}
    name = torch.cuda.get_device_name()
    found: dict[str, Any] = {"device": name, "dtype": "bfloat16"}
    for side in ("nova", "gpt2"):
        model = make(side, "nova-base", dropout=0.0).to("cuda", torch.bfloat16).eval()
        found[side] = {
            "ms_per_token": decode(model, tokens),
            "ms_per_token_graph": decode_graph(model, tokens),
        }
        found[side] |= train(side, name)
    return found


def decode(model: Any, tokens: int) -> float:
    """Milliseconds per token of generate() with a growing cache."""
    import torch

    ids = torch.arange(2, 2 + PROMPT, device="cuda")[None]
    how = {"do_sample": False, "max_new_tokens": tokens, "min_new_tokens": tokens}
    return seconds(lambda: model.generate(ids, attention_mask=torch.ones_like(ids), **how)) / tokens * 1e3


def decode_graph(model: Any, tokens: int) -> float:
    """Milliseconds per token of a compiled step with a static cache, replayed as a CUDA graph."""
    import torch
    from transformers import StaticCache

    cache = StaticCache(config=model.config, max_cache_len=PROMPT + 4 * tokens)
    with torch.inference_mode():
        ids = torch.arange(2, 2 + PROMPT, device="cuda")[None]
        token = model(ids, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)
        step: Any = torch.compile(model, mode="reduce-overhead", fullgraph=True)

        def go_on() -> None:
            for _ in range(tokens):
                step(token, past_key_values=cache, use_cache=True).logits[:, -1:].argmax(-1)

        return seconds(go_on, warm=2, repeat=1) / tokens * 1e3


def train(side: str, device: str) -> dict[str, float | None]:
    """Tokens per second of a training step under bf16 autocast, and the share of the device's FLOP/s it uses.

    FLOP per token: six times the weights that are multiplied, and twelve times layers x width x length for attention.
    """
    import torch

    model = make(side, "nova-base", dropout=0.0).to("cuda").train()
    config = model.config
    batch = packed_batch(config.vocab_size, ROWS, LENGTH, members=5)
    if side == "gpt2":
        del batch["member_targets"]
    batch = {name: values.to("cuda") for name, values in batch.items()}
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            loss = model(**batch, use_cache=False).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    speed = ROWS * LENGTH / seconds(step, warm=3, repeat=STEPS)
    width, layers = config.hidden_size, getattr(config, "n_layers", None) or config.n_layer
    weights = sum(w.numel() for w in model.parameters()) - width * config.max_position_embeddings
    work = 6 * weights + 12 * layers * width * LENGTH
    peak = next((flops for part, flops in PEAKS.items() if part in device), None)
    return {"tokens_per_s": round(speed), "mfu": round(speed * work / peak, 3) if peak else None}


def seconds(work: Callable[[], object], warm: int = 1, repeat: int = 3) -> float:
    """The least wall time of some work on the device."""
    import torch

    found = []
    for number in range(warm + repeat):
        torch.cuda.synchronize()
        begun = time.perf_counter()
        work()
        torch.cuda.synchronize()
        if number >= warm:
            found.append(time.perf_counter() - begun)
    return min(found)
