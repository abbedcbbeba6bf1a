"""What is said of a trained NOVA beside its weights: its preset, its lineage and its card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from schemas.settings import TribalPreset
from schemas.tables import SPLITS
from tasks.lineage import (
    CARD,
    LABELLED,
    LEARNED,
    LINEAGE,
    PRESET,
    corpus_facts,
    labelled_tokens,
    write_lineage,
)
from tasks.reports.nova_card import NovaCardFacts, render_nova_card
from tasks.running import Run

#: The trainer's account of the examples that it read.
SEEN = "seen.parquet"


def describe_nova(run: Run, preset: TribalPreset, account: dict[str, Any], out: Path, name: str) -> None:
    """Write card, lineage and preset beside a freshly trained NOVA."""
    corpus = run.dataset("mix")
    figures = (*LEARNED, *LABELLED)
    write_lineage(
        corpus, run, out / LINEAGE, pq.read_table(out / SEEN), by_phase=False, figures=figures, splits=SPLITS
    )
    (out / SEEN).unlink()  # the lineage holds all of it
    (out / PRESET).write_text(preset.model_dump_json(indent=2) + "\n", "utf-8")
    facts = NovaCardFacts(
        **vars(corpus_facts(run, corpus, out / LINEAGE, name)),
        preset=preset.description,
        preset_values=preset.model_dump(mode="json"),
        result=account,
        labelled_tokens=labelled_tokens(out / LINEAGE),
    )
    (out / CARD).write_text(render_nova_card(facts), "utf-8")
