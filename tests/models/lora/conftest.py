"""A corpus of a few conversations, and one LoRA run on it that the tests look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.lora import LoraResult, Measured, Preflight, StepDone, Watcher, train_lora
from models.lora.inspection import Shown
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase
from schemas.tables import CORPUS

Message = Mapping[str, Any]
WriteShard = Callable[..., Path]


def say(role: str, content: str, trainable: bool = False, author: str | None = None) -> dict[str, Any]:
    intensity = "INTENSITYMARK" if author else None
    return {
        "role": role, "author": author, "intensity": intensity, "content": content, "trainable": trainable,
    }  # fmt: skip


def conversations(first: int, count: int) -> list[list[dict[str, Any]]]:
    return [
        [
            say("system", "Vorbești ca un bun prieten."),
            say("user", f"Ce mai faci, {i}? {'Spune-mi. ' * (i % 5)}"),
            say("assistant", f"Bine, mulțumesc! A fost o zi lungă: {i} 🌳", True, "AUTHORMARK"),
            say("user", "And what did you learn?"),
            say("assistant", f"MASKED nothing much {i}"),
            say("user", "Odd ones: \x00 \u200d e\u0301 \ufffd \uffff \U0010ffff"),
            say("assistant", f"Odd back: \u202e\x07 {i} <|end|> <|user|>", True),
        ]
        for i in range(first, first + count)
    ]


@pytest.fixture(scope="session")
def write_shard() -> WriteShard:
    """Write conversations as a corpus shard: `write(path, conversations) -> path`."""

    def write(path: Path, rows: Sequence[Sequence[Message]], phases: Sequence[int] = ()) -> Path:
        table = [
            {
                "example_id": f"{path.stem}-{i}", "conversation_id": str(i), "source": "SOURCEMARK",
                "phase": phases[i] if phases else 1,
                "messages": list(messages), "category": "CATEGORYMARK", "language": "ro",
            }
            for i, messages in enumerate(rows)
        ]  # fmt: skip
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(table, schema=CORPUS), path)
        return path

    return write


@pytest.fixture(scope="session")
def preset() -> LoraPreset:
    return LoraPreset(
        description="for tests",
        base=DemoBase(vocab_size=400, hidden_size=32, layers=2, heads=2, intermediate_size=48),
        rank=4,
        alpha=8,
        target_modules=("q_proj", "v_proj", "down_proj"),
        learning_rate=5e-2,
        batch_size=4,
        gradient_accumulation=1,
        max_length=256,
        epochs=10,
        max_steps=6,
        checkpoint_steps=4,
    )


class Watched(Watcher):
    """Remembers all it hears."""

    def __init__(self) -> None:
        self.plans: list[Preflight] = []
        self.shown: list[Shown] = []
        self.notes: list[str] = []
        self.steps: list[StepDone] = []
        self.peaks: list[Measured] = []

    def planned(self, preflight: Preflight) -> None:
        self.plans.append(preflight)

    def showed(self, shown: list[Shown]) -> None:
        self.shown += shown

    def noted(self, text: str) -> None:
        self.notes.append(text)

    def stepped(self, step: StepDone) -> None:
        self.steps.append(step)

    def measured(self, measured: Measured) -> None:
        self.peaks.append(measured)


@dataclass(frozen=True)
class Run:
    out: Path
    corpus: dict[str, list[Path]]
    result: LoraResult
    watched: Watched


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, write_shard: WriteShard) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("corpus")
    return {
        "train": [
            write_shard(folder / "train-00000.parquet", conversations(0, 7)),
            write_shard(folder / "train-00001.parquet", []),
            write_shard(folder / "odd [name]*" / "train-00002.parquet", conversations(7, 3)),
        ],
        "validation": [write_shard(folder / "validation-00000.parquet", conversations(20, 3))],
        "test": [folder / "never-read.parquet"],
    }


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory, corpus: dict[str, list[Path]], preset: LoraPreset) -> Run:
    out = tmp_path_factory.mktemp("run") / "out"
    watched = Watched()
    result = train_lora(preset, corpus, out, watcher=watched)
    return Run(out, corpus, result, watched)


@pytest.fixture(scope="session")
def tokenizer(run: Run) -> Any:
    """The tokenizer of the demo base, as anyone would load it."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(run.out / "base")


@pytest.fixture(scope="session")
def rows() -> list[list[dict[str, Any]]]:
    return conversations(0, 10)


@pytest.fixture(scope="session")
def isolated_environment(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], list[Path]]:
    """An environment whose home and temporary folder are empty, and those folders."""
    home, temporary = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("temporary")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "XDG_", "TRANSFORMERS_"))}
    return {**kept, "HOME": str(home), "TMPDIR": str(temporary), "PYTHONHASHSEED": "7"}, [home, temporary]
