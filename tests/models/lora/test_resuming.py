"""Killed at any moment, started again: the same weights as a straight run. In real processes, with SIGKILL."""

from __future__ import annotations

import multiprocessing
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.lora import train_lora
from models.training.checkpoints import newest_checkpoint
from schemas.errors import StageFailed, StoreError
from schemas.settings import LoraPreset
from tests.models.lora import conftest

STEPS = 10


@pytest.fixture(scope="module")
def curriculum(preset: LoraPreset) -> LoraPreset:
    """Two phases of five steps, with dropout, so that the state of the random numbers matters."""
    phases = [
        {"name": "one", "learning_rate": 5e-2, "epochs": 2.5},
        {"name": "two", "learning_rate": 2e-2, "epochs": 2.5},
    ]
    values = {
        **preset.model_dump(), "phases": phases, "dropout": 0.2, "max_steps": None, "checkpoint_steps": 2,
        "scheduler": "cosine", "warmup_ratio": 0.1,
    }  # fmt: skip
    return LoraPreset.model_validate(values)


@pytest.fixture(scope="module")
def phased(
    tmp_path_factory: pytest.TempPathFactory, write_shard: Callable[..., Path]
) -> dict[str, list[Path]]:
    folder = tmp_path_factory.mktemp("phased")
    rows = conftest.conversations(0, 16)
    return {
        "train": [write_shard(folder / "train.parquet", rows, [1 + i % 2 for i in range(16)])],
        "validation": [write_shard(folder / "validation.parquet", rows[:4], [1, 2, 1, 2])],
    }


@dataclass(frozen=True)
class Trainings:
    """Starts trainings of one preset on one corpus."""

    preset: LoraPreset
    corpus: dict[str, list[Path]]
    context: Any

    def run(
        self,
        out: Path,
        work: Path,
        kill_at: int | None = None,
        stop_at: int | None = None,
        room: int | None = None,
    ) -> list[tuple[str, Any]]:
        """What the process told, until it ended or was killed right after it told of step `kill_at`."""
        shutil.rmtree(out, ignore_errors=True)  # the store gives every try a folder of its own
        ours, theirs = self.context.Pipe(duplex=False)
        corpus = {split: [str(path) for path in paths] for split, paths in self.corpus.items()}
        arguments = (self.preset.model_dump_json(), corpus, str(out), str(work), stop_at, room, theirs)
        from tests.models.lora.killing import run

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
def trainings(curriculum: LoraPreset, phased: dict[str, list[Path]]) -> Trainings:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.models.lora.killing"])
    return Trainings(curriculum, phased, context)


@dataclass(frozen=True)
class Straight:
    files: dict[str, bytes]


def written(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def straight(trainings: Trainings, tmp_path_factory: pytest.TempPathFactory) -> Straight:
    folder = tmp_path_factory.mktemp("straight")
    told = trainings.run(folder / "out", folder / "work")
    assert told == [*(("step", n) for n in range(1, STEPS + 1)), ("done", None)]
    return Straight(written(folder / "out"))


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_steps_it_ends_with_the_same_weights(
    trainings: Trainings, straight: Straight, tmp_path: Path, seed: int
) -> None:
    kills = sorted(random.Random(seed).sample(range(1, STEPS + 1), 3))
    for step in kills:
        told = trainings.run(tmp_path / "out", tmp_path / "work", kill_at=step)
        assert ("done", None) not in told
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert told[-1] == ("done", None)
    steps = [step for kind, step in told if kind == "step"]
    if kills[-1] > 3:
        assert steps[0] > 1, "it began from the start again"
        assert told[0][0] == "noted"
        assert f"Going on after step {steps[0] - 1} of {STEPS}" in told[0][1]
    assert written(tmp_path / "out") == straight.files


def test_ctrl_c_saves_and_says_how_to_go_on(trainings: Trainings, straight: Straight, tmp_path: Path) -> None:
    told = trainings.run(tmp_path / "out", tmp_path / "work", stop_at=8)
    assert told[-2] == ("stopping", None), "silence until it is saved looks like a hang"
    assert told[-1] == ("stopped", f"saved after step 8 of {STEPS}; run the same command to go on")
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert [step for kind, step in told if kind == "step"] == [9, 10]
    assert written(tmp_path / "out") == straight.files


def test_a_torn_checkpoint_is_skipped(trainings: Trainings, straight: Straight, tmp_path: Path) -> None:
    trainings.run(tmp_path / "out", tmp_path / "work", kill_at=5)
    folder = tmp_path / "work/phase-1"
    newest = newest_checkpoint(folder)
    assert newest is not None
    weights = newest / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7])
    earlier = newest_checkpoint(folder)
    assert earlier != newest
    assert not newest.exists()
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert told[-1] == ("done", None)
    assert written(tmp_path / "out") == straight.files


def test_out_of_memory_halves_the_batch_once_and_learns_the_same_examples(
    preset: LoraPreset, corpus: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from trl import SFTTrainer

    step, fits = SFTTrainer.training_step, 2

    def hungry(self: Any, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
        if len(inputs["input_ids"]) > fits and self.state.global_step >= 3:
            torch.empty(1 << 62, dtype=torch.uint8)  # the allocator itself refuses
        return step(self, model, inputs, *rest, **named)

    monkeypatch.setattr(SFTTrainer, "training_step", hungry)
    watched = conftest.Watched()
    few = preset.model_copy(update={"checkpoint_steps": 2})
    result = train_lora(few, corpus, tmp_path / "out", work=tmp_path / "work", watcher=watched)
    assert result.out_of_memory == 1
    (phase,) = result.phases
    assert (phase.batch_size, phase.gradient_accumulation, result.steps) == (2, 2, 6)
    assert "going on with batch_size 2 and gradient_accumulation 2" in watched.notes[0]
    assert [one.step for one in watched.steps] == [1, 2, 3, 3, 4, 5, 6]
    fits = 1
    with pytest.raises(StageFailed, match=r"ran out of memory again, with half the batch.*max_length"):
        train_lora(few, corpus, tmp_path / "out2", work=tmp_path / "work2")


def test_a_loss_that_is_no_number_keeps_the_last_good_checkpoint(
    preset: LoraPreset, corpus: dict[str, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl import SFTTrainer

    loss = SFTTrainer.compute_loss

    def broken(self: Any, *arguments: Any, **named: Any) -> Any:
        return loss(self, *arguments, **named) * (float("nan") if self.state.global_step >= 3 else 1)

    monkeypatch.setattr(SFTTrainer, "compute_loss", broken)
    often = preset.model_copy(update={"checkpoint_steps": 1})
    with pytest.raises(StageFailed, match=r"not a number at step 4.*last good checkpoint"):
        train_lora(often, corpus, tmp_path / "out", work=tmp_path / "work")
    kept = newest_checkpoint(tmp_path / "work/phase-1")
    assert kept is not None
    assert kept.name == "checkpoint-3"


def test_a_full_disk_is_told_and_the_run_goes_on_afterwards(
    trainings: Trainings, straight: Straight, tmp_path: Path
) -> None:
    """The system itself refuses to write: a limit on the size of files, below that of a checkpoint's optimizer."""
    told = trainings.run(tmp_path / "out", tmp_path / "work", room=20_000)
    assert told[-1][0] == "refused"
    assert "the training cannot write" in told[-1][1]
    assert "run the same command again" in told[-1][1]
    told = trainings.run(tmp_path / "out", tmp_path / "work")
    assert told[-1] == ("done", None)
    assert written(tmp_path / "out") == straight.files


def test_a_working_folder_of_another_run_is_refused(
    preset: LoraPreset, corpus: dict[str, list[Path]], tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/run.txt").write_text("another")
    with pytest.raises(StoreError, match="belongs to another run"):
        train_lora(preset, corpus, tmp_path / "out", work=tmp_path / "work")
