"""How a mixture preset is laid under the settings that are given beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schemas.settings.mixing import CONTRACT, ESTIMATE, NO_TOKENIZER

#: Mappings that are one choice: a new one replaces the old one instead of being merged into it.
WHOLE = ("shares", "ranges", "weights")


def lay_mixture(contents: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """A preset's contents under what is given. The name of a preset of one's own gives way to its contents."""
    name = str(given.get("preset", ""))
    laid = {**contents, **given}
    return laid | {"preset": None} if name.endswith((".yaml", ".yml")) else laid


def without_contract(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The old settings of the mixture as far as they outlive the choice of another preset in `new`."""
    if "preset" not in new or new["preset"] == old.get("preset"):
        return dict(old)
    return {name: value for name, value in old.items() if name not in CONTRACT}


def anchor_mixture(section: dict[str, Any], folder: Path) -> None:
    """Name the files of a mixture from `folder`, that of the settings file in which they stand (changed in place)."""
    for key in ("preset", "frozen", "tokenizer"):
        name = section.get(key)
        if not isinstance(name, str) or (key == "tokenizer" and name in (NO_TOKENIZER, ESTIMATE)):
            continue
        if key != "preset" or name.endswith((".yaml", ".yml")):
            section[key] = str(folder / name)
