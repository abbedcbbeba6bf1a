"""A corpus of four voices, and one NOVA run on it that the tests look at."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.tribal import Measured, StepDone, TribalPlan, TribalResult, Watcher, train_tribal
from models.tribal.preparing import Prepared, prepare
from schemas.settings.tribal import TribalPreset
from schemas.tables import CORPUS

Message = Mapping[str, Any]
Corpus = dict[str, list[Path]]
WriteShard = Callable[..., Path]

VOICES = {
    "Nova": "azi putem încerca împreună și vedem unde ajungem cu planul",
    "Sora": "inima mea caldă te îmbrățișează seara lângă foc și lumină",
    "Lumin": "first the proof then the table and the careful check of logic",
    "Sophia": "why do we ask what wisdom is before we learn to listen",
}


def say(role: str, content: str | None, author: str | None = None, **more: Any) -> dict[str, Any]:
    values = {"role": role, "author": author, "intensity": None, "content": content}
    return {**values, "trainable": role == "assistant", **more}


def conversations(first: int, count: int) -> list[list[dict[str, Any]]]:
    """Each with one voice, of one to four exchanges; the third reply of each is masked."""
    rows = []
    for number in range(first, first + count):
        chance = random.Random(number)
        name = list(VOICES)[number % len(VOICES)]
        words = VOICES[name].split()
        turns = [say("system", "Fii blând.")] if number % 3 == 0 else []
        for exchange in range(1 + number % 4):
            turns.append(say("user", f"Ce mai faci, {number}? Şi ţie? " + "Spune. " * (number % 5)))
            reply = " ".join(chance.choices(words, k=4 + chance.randrange(20)))
            intensity = [None, "0.75", "85%"][number % 3]
            turns.append(say("assistant", reply, name, intensity=intensity, trainable=exchange != 2))
        rows.append(turns)
    return rows


@pytest.fixture(scope="session")
def write_shard() -> WriteShard:
    """Write conversations as a corpus shard: `write(path, conversations, phases, language) -> path`."""

    def write(
        path: Path, rows: Sequence[Sequence[Message]], phases: Sequence[int] = (), language: str | None = "ro"
    ) -> Path:
        table = [
            {
                "example_id": f"{path.stem}-{i}", "conversation_id": f"conversation-{path.stem}-{i}",
                "source": "SOURCEMARK", "phase": phases[i] if phases else 1, "messages": list(messages),
                "category": "CATEGORYMARK", "language": language,
            }
            for i, messages in enumerate(rows)
        ]  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(table, schema=CORPUS), path)
        return path

    return write


@pytest.fixture(scope="session")
def preset() -> TribalPreset:
    return TribalPreset(
        description="for tests",
        members=("nova", "sora", "lumin", "sophia"),
        vocab_size=400,
        d_model=32,
        layers=2,
        heads=2,
        context=64,
        max_length=48,
        member_rank=4,
        detector_dim=8,
        learning_rate=1e-2,
        epochs=10,
        batch_size=4,
        max_steps=12,
        validation_steps=3,
        checkpoint_steps=4,
    )


class Watched(Watcher):
    """Remembers all it hears."""

    def __init__(self) -> None:
        self.plans: list[TribalPlan] = []
        self.notes: list[str] = []
        self.steps: list[StepDone] = []
        self.peaks: list[Measured] = []

    def planned(self, plan: TribalPlan) -> None:
        self.plans.append(plan)

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, step: StepDone) -> None:
        self.steps.append(step)

    def measured(self, measured: Measured) -> None:
        self.peaks.append(measured)


@dataclass(frozen=True)
class Run:
    out: Path
    corpus: Corpus
    result: TribalResult
    watched: Watched


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, write_shard: WriteShard) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    return {
        "train": [
            write_shard(folder / "train-00000.parquet", conversations(0, 40)),
            write_shard(folder / "train-00001.parquet", []),
            write_shard(folder / "odd [name]*" / "train-00002.parquet", conversations(40, 20)),
        ],
        "validation": [write_shard(folder / "validation-00000.parquet", conversations(100, 10))],
        "test": [write_shard(folder / "test-00000.parquet", conversations(200, 6))],
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: Corpus, preset: TribalPreset) -> Run:
    out = tmp_path_factory.mktemp("run") / "out"
    watched = Watched()
    result = train_tribal(preset, corpus, out, watcher=watched)
    return Run(out, corpus, result, watched)


@pytest.fixture(scope="session")
def prepared(corpus: Corpus, preset: TribalPreset) -> Prepared:
    return prepare(preset, {split: corpus[split] for split in ("train", "validation")})
