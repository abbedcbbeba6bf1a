"""`vatra export --format axolotl|llama-factory|unsloth`: data and configuration for another trainer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from flows.commands.session import print_json
from schemas.errors import UsageError
from schemas.settings.loading import load_lora_preset

if TYPE_CHECKING:
    from storage.datasets import Dataset

#: How each is started in the folder that is written.
TRAINERS = {
    "axolotl": "axolotl train config.yaml",
    "llama-factory": "llamafactory-cli train train.yaml",
    "unsloth": "unsloth train --config config.yaml",
}


def export_trainer(given: argparse.Namespace, corpus: Dataset, build: str) -> int:
    """Write the folder and tell what is in it, and what could not be said in that trainer's shape."""
    from tasks.trainer_exports import export_for_trainer

    if given.split:
        raise UsageError("a trainer gets train and validation, each in its file", where="--split")
    preset = load_lora_preset(given.preset or "llama-3-8b")
    made = export_for_trainer(corpus, given.format, Path(given.out), preset, given.overwrite)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    for split, rows in made.rows.items():
        console.print(
            f"{rows:,} rows with {made.replies[split]:,} replies to learn in {given.out}/{split}.jsonl"
        )
    if made.per_reply:
        console.print(
            "Some replies are masked, so each reply is a row of its own with what was said before it."
        )
    for reason, count in sorted(made.left_out.items()):
        console.print(f"Left out: {count:,} {reason}")
    console.print(f"Start it with: cd {given.out} && {TRAINERS[given.format]}")
    told = {"build": build, "out": str(given.out), "files": made.files, "rows": dict(made.rows)}
    return print_json(
        given,
        {**told, "replies": dict(made.replies), "left_out": dict(made.left_out), "per_reply": made.per_reply},
    )
