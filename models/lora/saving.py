"""Writes what comes out, so that it means the same on every machine: no absolute path, no pickle, sorted keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from models.lora.inspection import Shown
from models.lora.template import Template

#: Where the demo base lies, as seen from the adapter's own folder.
BASE_REFERENCE = "../base"
CURVE, SHOWN, SEEN = "curve.jsonl", "windows.jsonl", "seen.parquet"


def save_adapter(
    model: Any, tokenizer: Any, template: Template, folder: Path, base: str, revision: str | None
) -> None:
    """Write weights, config, tokenizer and the template agreement of a PEFT model to `folder`.

    `base` is what the adapter's config names as its base: a hub id, a folder as the preset names it, or `../base`.
    """
    # save_embedding_layers: to decide it by itself, PEFT would look for the base on the hub.
    model.save_pretrained(folder, save_embedding_layers=False)
    own, tokenizer.chat_template = tokenizer.chat_template, template.chat_template
    tokenizer.save_pretrained(folder)
    tokenizer.chat_template = own
    template.write(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's card: it holds the base's path on this machine
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    config.update(base_model_name_or_path=base, revision=revision)
    # PEFT keeps the targets in a set, whose order changes from process to process.
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


def write_curve(phases: Iterable[tuple[int, Sequence[Sequence[float]]]], path: Path) -> None:
    """A line of JSON per optimizer step: phase, step within it, loss, learning rate."""
    with path.open("w", encoding="utf-8") as sink:
        for number, steps in phases:
            for step, loss, rate in steps:
                line = {"phase": number, "step": int(step), "loss": loss, "learning_rate": rate}
                sink.write(json.dumps(line) + "\n")


def write_shown(shown: Sequence[Shown], path: Path) -> None:
    """The decoded windows, a line of JSON each. They are people's words: they go into no account and no log."""
    path.write_text("".join(one.model_dump_json() + "\n" for one in shown), "utf-8")


def write_seen(read: Any, path: Path) -> None:
    """Parquet: every example that was read, by phase, with its windows, tokens and trained tokens.

    `read` are the figures of the windows that were read; one that a phase repeats counts once.
    """
    import pyarrow.parquet as pq

    numbers = ("tokens", "trained_tokens")
    windows = read.group_by(["example_id", "phase", "window"], use_threads=False)
    once = windows.aggregate([(name, "max") for name in numbers])
    grouped = once.group_by(["example_id", "phase"], use_threads=False)
    found = grouped.aggregate([("tokens_max", "count"), *((f"{name}_max", "sum") for name in numbers)])
    names = ["example_id", "phase", "windows", "tokens", "trained_tokens"]
    pq.write_table(found.rename_columns(names), path, compression="zstd")
