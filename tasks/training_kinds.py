"""How adapters are called, and where the page of a training lies: cheap to import, for whoever only lists them."""

from __future__ import annotations

from pathlib import Path

from storage.home import Home

#: The kind of name that adapters have (`artifacts/lora/<name>`), and the stage that makes them.
NAMES, STAGE = "lora", "train-lora"


def page_of(home: Home, name: str) -> Path:
    """Where the page of a training lies, or will."""
    return home.reports / f"lora-{name}.html"
