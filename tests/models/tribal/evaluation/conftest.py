"""A corpus of three voices that differ in their words, small enough to learn in seconds."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.settings import TribalPreset
from schemas.tables import CORPUS

WORDS = {
    "Sora": ["lumina", "dor", "inima", "seara", "cald", "zbor", "suflet", "blând"],
    "Lumin": ["reason", "proof", "light", "number", "clear", "measure", "exact", "form"],
    "Stranger": ["stone", "gravel", "dust", "mud", "clay", "sand", "brick", "wall"],
}


def conversation(number: int, chance: random.Random) -> dict[str, Any]:
    """A question, and the reply of one voice; strangers are no members."""
    author = list(WORDS)[number % 3]
    said = " ".join(chance.choice(WORDS[author]) for _ in range(24))
    asked = " ".join(chance.choice(["tell", "me", "more", "please"]) for _ in range(4))
    turns = (("user", None, asked), ("assistant", author, said))
    return {
        "example_id": f"e{number}",
        "conversation_id": f"c{number}",
        "source": "test",
        "phase": 1,
        "category": None,
        "language": "en",
        "messages": [
            {"role": role, "author": who, "intensity": None, "content": text, "trainable": True}
            for role, who, text in turns
        ],
    }


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """Shards: 90 conversations to learn from, 15 and 24 held out."""
    folder, chance, begun = tmp_path_factory.mktemp("voices"), random.Random(7), 0
    shards = {}
    for split, count in (("train", 90), ("validation", 15), ("test", 24)):
        rows = [conversation(begun + number, chance) for number in range(count)]
        begun += count
        shards[split] = [folder / f"{split}-00001.parquet"]
        pq.write_table(pa.Table.from_pylist(rows, CORPUS), shards[split][0])
    return shards


@pytest.fixture(scope="session")
def tiny() -> TribalPreset:
    """A NOVA of a few thousand weights and a dozen steps."""
    return TribalPreset(
        description="a test",
        members=("nova", "sora", "lumin"),
        vocab_size=320,
        d_model=32,
        layers=1,
        heads=2,
        context=128,
        max_length=64,
        member_rank=4,
        detector_dim=16,
        dropout=0.0,
        learning_rate=1e-2,
        batch_size=8,
        max_steps=12,
        validation_steps=6,
        checkpoint_steps=6,
        label_loss_weight=1.0,
        label_ramp=2,
    )
