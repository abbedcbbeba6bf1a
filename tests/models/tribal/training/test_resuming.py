"""Killed at any moment, started again: the same weights as a straight run. In real processes, with SIGKILL."""

from __future__ import annotations

import multiprocessing
import random
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.training.checkpoints import newest_checkpoint
from schemas.settings.tribal import TribalPreset
from tests.models.tribal.training import conftest

STEPS = 12


@pytest.fixture(scope="module")
def curriculum(preset: TribalPreset) -> TribalPreset:
    """Two phases of six steps, with dropout, so that the state of the random numbers matters."""
    phases = [
        {"name": "the mix", "learning_rate": 1e-2, "epochs": 2, "corpus_phase": 1},
        {"name": "sora", "learning_rate": 5e-3, "epochs": 6, "member": "sora", "replay": 0.4},
    ]
    values = {
        **preset.model_dump(), "phases": phases, "dropout": 0.2, "checkpoint_steps": 2, "max_steps": None,
        "batch_size": 16, "validation_steps": 2, "gradient_accumulation": 2,
    }  # fmt: skip
    return TribalPreset.model_validate(values)


@dataclass(frozen=True)
class Trainings:
    """Starts trainings of one preset on one corpus."""

    preset: TribalPreset
    corpus: dict[str, list[Path]]
    context: Any

    def run(self, out: Path, work: Path, kill_at: int | None = None, **more: int) -> list[tuple[str, Any]]:
        """What the process told, until it ended or was killed right after it told of step `kill_at`."""
        shutil.rmtree(out, ignore_errors=True)  # the store gives every try a folder of its own
        ours, theirs = self.context.Pipe(duplex=False)
        corpus = {split: [str(path) for path in paths] for split, paths in self.corpus.items()}
        from tests.models.tribal.training.killing import run

        stop_at, room = more.get("stop_at"), more.get("room")
        arguments = (self.preset.model_dump_json(), corpus, str(out), str(work), stop_at, room, theirs)
        process = self.context.Process(target=run, args=arguments)
        process.start()
        theirs.close()
        told: list[tuple[str, Any]] = []
        while True:
            try:
                told.append(ours.recv())
            except EOFError:
                break
            if kill_at is not None and told[-1] == ("step", kill_at):
                process.kill()
        process.join()
        return told


@pytest.fixture(scope="module")
def trainings(
    curriculum: TribalPreset, tmp_path_factory: pytest.TempPathFactory, write_shard: conftest.WriteShard
) -> Trainings:
    folder = tmp_path_factory.mktemp("phased")
    corpus = {
        "train": [write_shard(folder / "train.parquet", conftest.conversations(0, 40))],
        "validation": [write_shard(folder / "validation.parquet", conftest.conversations(100, 8))],
    }
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.models.tribal.training.killing"])
    return Trainings(curriculum, corpus, context)


def written(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def straight(trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("straight")
    told = trainings.run(folder / "out", folder / "work")
    assert told == [*(("step", n) for n in range(1, STEPS + 1)), ("done", None)]
    return written(folder / "out")


@pytest.mark.parametrize("seed", [1, 3])
def test_killed_at_random_steps_it_ends_with_the_same_weights(
    trainings: Trainings, straight: dict[str, bytes], tmp_path: Path, seed: int
) -> None:
    kills = sorted(random.Random(seed).sample(range(1, STEPS + 1), 3))
    for step in kills:
        told = trainings.run(tmp_path / "out", tmp_path / "work", kill_at=step)
        assert ("done", None) not in told
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert told[-1] == ("done", None)
    steps = [step for kind, step in told if kind == "step"]
    if kills[-1] > 3:
        assert not steps or steps[0] > 1, "it began from the start again"
        assert not steps or f"Going on after step {steps[0] - 1} of {STEPS}" in told[0][1]
    assert written(tmp_path / "out") == straight


def test_ctrl_c_saves_and_says_how_to_go_on(
    trainings: Trainings, straight: dict[str, bytes], tmp_path: Path
) -> None:
    told = trainings.run(tmp_path / "out", tmp_path / "work", stop_at=9)
    assert told[-2] == ("stopping", None), "silence until it is saved looks like a hang"
    assert told[-1] == ("stopped", f"saved after step 9 of {STEPS}; run the same command to go on")
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert [step for kind, step in told if kind == "step"] == [10, 11, 12]
    assert written(tmp_path / "out") == straight


def test_a_torn_checkpoint_is_skipped(
    trainings: Trainings, straight: dict[str, bytes], tmp_path: Path
) -> None:
    trainings.run(tmp_path / "out", tmp_path / "work", kill_at=6)
    newest = newest_checkpoint(tmp_path / "work/phase-1")
    assert newest is not None
    weights = newest / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert told[-1] == ("done", None)
    assert written(tmp_path / "out") == straight


def test_a_full_disk_is_told_and_the_run_goes_on_afterwards(
    trainings: Trainings, straight: dict[str, bytes], tmp_path: Path
) -> None:
    """The system itself refuses to write: a limit on the size of files, below that of the weights."""
    told = trainings.run(tmp_path / "out", tmp_path / "work", room=20_000)
    assert told[-1][0] == "refused"
    assert "the training cannot write" in told[-1][1]
    assert "Free some space and run the same command again" in told[-1][1]
    assert not (tmp_path / "out/train.json").exists()
    assert trainings.run(tmp_path / "out", tmp_path / "work")[-1] == ("done", None)
    assert written(tmp_path / "out") == straight


def test_a_phase_that_ended_early_ends_there_again(trainings: Trainings, tmp_path: Path) -> None:
    """Killed after the step that was its last, it makes no step more."""
    wild = {"phases": (), "learning_rate": 0.3, "warmup_ratio": 0.5, "max_steps": 40, "patience": 1}
    preset = TribalPreset.model_validate({**trainings.preset.model_dump(), **wild})
    early = Trainings(preset, trainings.corpus, trainings.context)
    told = early.run(tmp_path / "straight", tmp_path / "work-1")
    last = [step for kind, step in told if kind == "step"][-1]
    assert last < 40
    straight = written(tmp_path / "straight")
    assert ("done", None) not in early.run(tmp_path / "out", tmp_path / "work-2", kill_at=last)
    again = early.run(tmp_path / "out", tmp_path / "work-2")
    assert again[-2:] == [("step", last), ("done", None)]
    assert written(tmp_path / "out") == straight
