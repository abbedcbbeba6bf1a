"""What is said of a trained adapter, beside its lineage: its preset and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from models.lora.saving import SEEN
from schemas.files import expanded
from schemas.settings import LoraPreset
from storage.datasets import Dataset
from tasks.lineage import CARD, LINEAGE, PRESET, corpus_facts, write_lineage
from tasks.reports.model_card import CardFacts, render_card
from tasks.running import Run


def describe(run: Run, preset: LoraPreset, account: dict[str, Any], out: Path, name: str) -> None:
    """Write card, lineage and preset beside a freshly trained adapter."""
    corpus = run.dataset("mix")
    seen = pq.read_table(out / SEEN)
    write_lineage(corpus, run, out / LINEAGE, seen, bool(preset.phases))
    (out / SEEN).unlink()  # the lineage holds all of it
    (out / PRESET).write_text(preset.model_dump_json(indent=2) + "\n", "utf-8")
    (out / CARD).write_text(render_card(card_facts(run, corpus, preset, account, out, name)), "utf-8")


def card_facts(
    run: Run, corpus: Dataset, preset: LoraPreset, account: dict[str, Any], out: Path, name: str
) -> CardFacts:
    """What the card tells: where the examples came from, the preset, and what the training said of itself."""
    facts = corpus_facts(run, corpus, out / LINEAGE, name)
    return CardFacts(
        **vars(facts),
        preset=preset.description,
        preset_values=_told_preset(preset, account),
        base=base_name(preset, account),
        base_is_local=base_is_local(preset),
        base_is_demo=account["base_is_demo"],
        base_license=None,
        result=account,
        template=account["template"],
    )


def base_name(preset: LoraPreset, account: dict[str, Any]) -> str:
    """The base as it may be told to others: a hub id, or only the last part of a local folder's path."""
    name = getattr(preset.base, "name", None)
    if name is None:
        return str(account["base"])
    return expanded(name).name if base_is_local(preset) else str(name)


def base_is_local(preset: LoraPreset) -> bool:
    """Whether the preset names its base by a folder of this machine."""
    name = getattr(preset.base, "name", None)
    if name is None:
        return False
    local = expanded(name)
    return local.is_absolute() or local.exists() or name.startswith(("./", "../", "~"))


def _told_preset(preset: LoraPreset, account: dict[str, Any]) -> dict[str, Any]:
    """The preset's values without a path of this machine."""
    values: dict[str, Any] = preset.model_dump(mode="json")
    if "name" in values["base"]:
        values["base"]["name"] = base_name(preset, account)
    return values
