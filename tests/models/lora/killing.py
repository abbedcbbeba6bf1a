"""Trainings in processes of their own, to be killed. Importing this loads the libraries, once for all of them."""

from __future__ import annotations

import os
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import peft  # noqa: F401
import torch
import transformers  # noqa: F401
import trl  # noqa: F401
from trl import SFTTrainer  # noqa: F401

from models.lora import StepDone, TrainingStopped, Watcher, train_lora
from schemas.errors import StoreError
from schemas.settings import LoraPreset


class _Tells(Watcher):
    def __init__(self, pipe: Connection, stop_at: int | None) -> None:
        self._pipe, self._stop_at = pipe, stop_at

    def noted(self, text: str) -> None:
        self._pipe.send(("noted", text))

    def stopping(self) -> None:
        self._pipe.send(("stopping", None))

    def stepped(self, step: StepDone) -> None:
        self._pipe.send(("step", step.step))
        if step.step == self._stop_at:
            os.kill(os.getpid(), signal.SIGINT)


class _Shrinks(_Tells):
    """Once the training begins, no file may be larger than `room` bytes."""

    def __init__(self, pipe: Connection, room: int) -> None:
        super().__init__(pipe, None)
        self._room = room

    def stepped(self, step: StepDone) -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._room, resource.RLIM_INFINITY))
        super().stepped(step)


def run(
    preset: str,
    corpus: dict[str, list[str]],
    out: str,
    work: str,
    stop_at: int | None,
    room: int | None,
    pipe: Any,
) -> None:
    """Train; tells each step through the pipe, at last `done` or how it was stopped. At `stop_at` it gets a Ctrl-C."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shards = {split: [Path(path) for path in paths] for split, paths in corpus.items()}
    watcher = _Tells(pipe, stop_at) if room is None else _Shrinks(pipe, room)
    try:
        train_lora(
            LoraPreset.model_validate_json(preset), shards, Path(out), work=Path(work), watcher=watcher
        )
        pipe.send(("done", None))
    except TrainingStopped as stopped:
        pipe.send(("stopped", str(stopped)))
    except StoreError as refused:
        pipe.send(("refused", str(refused)))
