"""What `benchmarks.nova` measures, each in a process of its own. All times are CPU seconds of one thread."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from typing import Any

from benchmarks.nova import ratio, spread
from benchmarks.nova_models import make, matrices, packed_batch, parameters_of, presets

#: Tokens of a prompt.
PROMPT = 16
#: Rows and tokens of a training batch: nova-tiny's own, and what a processor can do of nova-base.
BATCHES = {"nova-tiny": (8, 256), "nova-base": (2, 256)}


def measure(name: str, rounds: int, tokens: int, steps: int) -> dict[str, Any]:
    """One measurement by its name."""
    import torch

    torch.set_num_threads(1)
    if name == "imports":
        make("gpt2", "nova-tiny")
        make("nova", "nova-tiny")
        return {"peak_mb": peak_mb()}
    if "-memory-" in name:
        work, _, side = name.split("-")
        return memory_of(work, side, tokens)
    if name == "text":
        return int8_loss(steps)
    if name == "device":
        from benchmarks.nova_device import measure_device

        return measure_device(tokens)
    if name.startswith("train-"):
        preset = f"nova-{name.removeprefix('train-')}"
        return train_ratio(preset, rounds if preset == "nova-tiny" else min(rounds, 3))
    return {"decode": decode_ratios, "int8": int8_ratio}[name](rounds, tokens)


def decode_ratios(rounds: int, tokens: int) -> dict[str, Any]:
    """Generation with a cache, by generate() and by a bare loop, against GPT-2 and against the bare products."""
    import torch

    nova, gpt2 = make("nova", "nova-base").eval(), make("gpt2", "nova-base").eval()
    products = floor_of(nova)
    rough = make("nova", "nova-base").to(torch.bfloat16).eval()
    arms: dict[str, Callable[[], float]] = {
        "nova": lambda: generate(nova, tokens),
        "gpt2": lambda: generate(gpt2, tokens),
        "floor": lambda: timed(lambda: [products() for _ in range(tokens)], tokens),
        "nova_loop": lambda: loop(nova, tokens),
        "gpt2_loop": lambda: loop(gpt2, tokens),
        "nova_bf16": lambda: generate(rough, tokens),
    }
    times = in_turns(arms, rounds)
    cached, uncached = (generate(nova, 50, use_cache=use) for use in (True, False))
    return {
        "generate_to_gpt2": ratio(times["nova"], times["gpt2"]),
        "generate_to_floor": ratio(times["nova"], times["floor"]),
        "loop_to_gpt2": ratio(times["nova_loop"], times["gpt2_loop"]),
        "loop_to_floor": ratio(times["nova_loop"], times["floor"]),
        "ms_per_token": {name: spread(values) for name, values in times.items()},
        "ms_per_token_of_50": {"cache": round(cached, 1), "no_cache": round(uncached, 1)},
        "parameters": {preset: parameters_of(preset) for preset in presets()},
    }


def int8_ratio(rounds: int, tokens: int) -> dict[str, Any]:
    """Generation by int8 weights against fp32."""
    from models.tribal.quantising import quantise

    nova = make("nova", "nova-base").eval()
    small = quantise(nova)
    times = in_turns(
        {"int8": lambda: generate(small, tokens), "fp32": lambda: generate(nova, tokens)}, rounds
    )
    return {
        "int8_to_fp32": ratio(times["int8"], times["fp32"]),
        "ms_per_token": {name: spread(values) for name, values in times.items()},
    }


def int8_loss(steps: int) -> dict[str, Any]:
    """Bits per byte that int8 costs a nova-tiny trained on the project's own prose."""
    from benchmarks.nova_text import bits_per_byte, train
    from models.tribal.quantising import quantise

    model, held_out, size = train("nova", steps)
    exact, rounded = (bits_per_byte(one, held_out, size) for one in (model, quantise(model)))
    return {
        "steps": steps,
        "held_out_bytes": size,
        "bits_per_byte": round(exact, 4),
        "int8_bits_per_byte": round(rounded, 4),
        "int8_loss": round(rounded / exact - 1, 5),
    }


def train_ratio(preset: str, rounds: int) -> dict[str, Any]:
    """Training tokens per CPU-second: forward with both losses, backward, AdamW; packed windows on both sides.

    The goal is at least so many tokens as GPT-2, so the ratio is of speeds: GPT-2's time by NOVA's.
    """
    sides = {side: trainer_of(side, preset) for side in ("nova", "gpt2")}
    rows, length = BATCHES[preset]
    times = in_turns(sides, rounds)
    return {
        "nova_to_gpt2": ratio(times["gpt2"], times["nova"]),
        "tokens_per_cpu_s": {
            side: round(rows * length / min(values) * 1e3, 1) for side, values in times.items()
        },
    }


def trainer_of(side: str, preset: str) -> Callable[[], float]:
    """A training step of a side, which says its milliseconds."""
    import torch

    model = make(side, preset).train()
    batch = packed_batch(model.config.vocab_size, *BATCHES[preset], members=5)
    if side == "gpt2":
        del batch["member_targets"]
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1)

    def step() -> None:
        model(**batch, use_cache=False).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return lambda: timed(step)


def memory_of(work: str, side: str, tokens: int) -> dict[str, Any]:
    """Peak memory of a process that decodes, or trains two steps, at nova-base's shape."""
    if work == "decode":
        generate(make(side, "nova-base").eval(), tokens)
    else:
        step = trainer_of(side, "nova-base")
        for _ in range(2):
            step()
    return {"peak_mb": peak_mb()}


def generate(model: Any, tokens: int, use_cache: bool = True) -> float:
    """Milliseconds per new token of a greedy generate(), the reading of the prompt among them."""
    import torch

    ids = torch.arange(2, 2 + PROMPT)[None]
    how = {"do_sample": False, "max_new_tokens": tokens, "min_new_tokens": tokens, "use_cache": use_cache}
    return timed(lambda: model.generate(ids, attention_mask=torch.ones_like(ids), **how), tokens)


def loop(model: Any, tokens: int) -> float:
    """Milliseconds per token of bare forward calls behind a prompt."""
    import torch

    with torch.inference_mode():
        out = model(torch.arange(2, 2 + PROMPT)[None], use_cache=True)

        def go_on() -> None:
            told = out
            for _ in range(tokens):
                token = told.logits[:, -1:].argmax(-1)
                told = model(token, past_key_values=told.past_key_values, use_cache=True)

        return timed(go_on, tokens)


def floor_of(model: Any) -> Callable[[], None]:
    """The products of one token with every matrix of the model, and nothing else."""
    import torch
    from torch.nn.functional import linear

    weights = matrices(model)
    rows = {weight.shape[1]: torch.randn(1, weight.shape[1]) for weight in weights}

    def products() -> None:
        with torch.inference_mode():
            for weight in weights:
                linear(rows[weight.shape[1]], weight)

    return products


def in_turns(arms: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Times of arms that run one after the other, round by round; a first round does not count."""
    times: dict[str, list[float]] = {name: [] for name in arms}
    for number in range(rounds + 1):
        for name, arm in arms.items():
            took = arm()
            if number:
                times[name].append(took)
    return times


def timed(work: Callable[[], object], units: int = 1) -> float:
    """Milliseconds of CPU time per unit of some work."""
    begun = time.process_time()
    work()
    return (time.process_time() - begun) / units * 1e3


def peak_mb() -> float:
    """The most memory that this process ever held."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
