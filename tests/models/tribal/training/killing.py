"""NOVA trainings in processes of their own, to be killed. Importing this loads the libraries, once for all of them."""

from __future__ import annotations

import os
import resource
import signal
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch

import models.tribal.modeling
import models.tribal.trainer  # noqa: F401
from models.tribal import StepDone, TrainingStopped, Watcher, train_tribal
from schemas.errors import StoreError
from schemas.settings.tribal import TribalPreset


class _Tells(Watcher):
    """Once the training begins, no file may be larger than `room` bytes; at `stop_at` there is a Ctrl-C."""

    def __init__(self, pipe: Connection, stop_at: int | None, room: int | None) -> None:
        self._pipe, self._stop_at, self._room = pipe, stop_at, room

    def noted(self, text: str) -> None:
        self._pipe.send(("noted", text))

    def stopping(self) -> None:
        self._pipe.send(("stopping", None))

    def stepped(self, step: StepDone) -> None:
        if self._room is not None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (self._room, resource.RLIM_INFINITY))
        self._pipe.send(("step", step.step))
        if step.step == self._stop_at:
            os.kill(os.getpid(), signal.SIGINT)


def run(
    preset: str,
    corpus: dict[str, list[str]],
    out: str,
    work: str,
    stop_at: int | None,
    room: int | None,
    pipe: Any,
) -> None:
    """Train; tells each step through the pipe, at last `done` or how it was stopped."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    shards = {split: [Path(path) for path in paths] for split, paths in corpus.items()}
    try:
        train_tribal(
            TribalPreset.model_validate_json(preset),
            shards,
            Path(out),
            work=Path(work),
            watcher=_Tells(pipe, stop_at, room),
        )
        pipe.send(("done", None))
    except TrainingStopped as stopped:
        pipe.send(("stopped", str(stopped)))
    except StoreError as refused:
        pipe.send(("refused", str(refused)))
