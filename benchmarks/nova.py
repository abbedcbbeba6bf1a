"""NOVA beside a transformers GPT-2 of the same shape: decoding, training, memory, int8.

    python -m benchmarks.nova
    python -m benchmarks.nova --only decode      # or int8, text, train, memory, device

Prints details as JSON and, on its last line, {"decode_ratio_gpt2", "decode_ratio_floor", "int8_ratio", "train_ratio_gpt2",
"rss_ratio", "ms_per_token"}. CPU time on one thread. What is compared runs in turns (A B A B ...) in one process, and the
figure is the median of the ratios of the turns; the ratio of the least times is told beside it. Memory is the peak of a
process that did nothing else, the most of its runs. Shapes: nova-base, fp32, random weights, and nova-tiny where said.
`ms_per_token` is the least of the rounds: what else runs on a machine only adds to it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from statistics import median
from typing import Any

PARTS = ("decode", "int8", "text", "train", "memory", "device")
SIDES = ("nova", "gpt2")


def main() -> None:
    """Every part in processes of its own, and the figures drawn from them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9, help="turns of what is compared in one process")
    parser.add_argument(
        "--tokens", type=int, default=24, help="new tokens of a generation, behind a prompt of 16"
    )
    parser.add_argument("--repeat", type=int, default=2, help="processes of each side, for memory")
    parser.add_argument(
        "--steps", type=int, default=300, help="steps of the nova-tiny that int8 is held against"
    )
    parser.add_argument("--only", choices=PARTS, action="append", help="leave the other parts out")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        from benchmarks.nova_measures import measure

        print(json.dumps(measure(given.measure, given.rounds, given.tokens, given.steps)))
        return
    details: dict[str, Any] = {}
    for part in given.only or PARTS:
        details[part] = _part(part, given)
        print(json.dumps({part: details[part]}), flush=True)
    print(json.dumps(figures(details)))


def _part(part: str, given: argparse.Namespace) -> dict[str, Any]:
    def run(name: str) -> dict[str, Any]:
        return in_process_of_its_own(name, given.rounds, given.tokens, given.steps)

    if part == "train":
        return {"tiny": run("train-tiny"), "base": run("train-base")}
    if part != "memory":
        return run(part)
    found: dict[str, Any] = {"imports_mb": run("imports")["peak_mb"]}
    for work in ("decode", "train"):
        runs = [[run(f"{work}-memory-{side}")["peak_mb"] for side in SIDES] for _ in range(given.repeat)]
        most = dict(zip(SIDES, map(max, zip(*runs, strict=True)), strict=True))
        found[work] = {f"{side}_mb": most[side] for side in SIDES} | {
            "ratio": round(most["nova"] / most["gpt2"], 3)
        }
    return found


def figures(details: dict[str, Any]) -> dict[str, float | None]:
    """The six figures; null for a part that was left out. Of two measurements the worse one is told."""
    decode, int8 = details.get("decode", {}), details.get("int8", {})
    train, memory = details.get("train", {}), details.get("memory", {})
    trained = [run["nova_to_gpt2"]["median"] for run in train.values()]
    peaks = [run["ratio"] for name, run in memory.items() if name != "imports_mb"]
    return {
        "decode_ratio_gpt2": decode["generate_to_gpt2"]["median"] if decode else None,
        "decode_ratio_floor": decode["generate_to_floor"]["median"] if decode else None,
        "int8_ratio": int8["int8_to_fp32"]["median"] if int8 else None,
        "train_ratio_gpt2": min(trained, default=None),
        "rss_ratio": max(peaks, default=None),
        "ms_per_token": decode["ms_per_token"]["nova"]["least"] if decode else None,
    }


def ratio(ours: list[float], theirs: list[float]) -> dict[str, float]:
    """Of paired times: the median of their ratios, and the ratio of the least."""
    pairs = [a / b for a, b in zip(ours, theirs, strict=True)]
    return {"median": round(median(pairs), 3), "least": round(min(ours) / min(theirs), 3)}


def spread(times: list[float]) -> dict[str, float]:
    """Least and median of some times."""
    return {"least": round(min(times), 1), "median": round(median(times), 1)}


def in_process_of_its_own(name: str, rounds: int, tokens: int, steps: int) -> dict[str, Any]:
    """What a measurement prints on its last line; it has one thread."""
    command = [
        sys.executable, "-m", "benchmarks.nova", "--measure", name, "--rounds", str(rounds),
        "--tokens", str(tokens), "--steps", str(steps),
    ]  # fmt: skip
    alone = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=alone)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
