"""Writes an adapter so that it means the same on every machine: no absolute path, no pickle, sorted keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

#: Where an adapter's base lies, as seen from the adapter's own folder.
BASE_REFERENCE = "../base"


def save_adapter(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write weights, config, tokenizer and chat template of a PEFT model to `folder`."""
    # save_embedding_layers: to decide it by itself, PEFT would look for the base on the hub.
    model.save_pretrained(folder, save_embedding_layers=False)
    tokenizer.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's card: it holds the base's path on this machine
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["base_model_name_or_path"] = BASE_REFERENCE
    # PEFT keeps the targets in a set, whose order changes from process to process.
    config["target_modules"] = sorted(config["target_modules"])
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")
