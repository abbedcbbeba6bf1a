"""Ctrl-C in the middle of a training: the step is finished and saved first. A second Ctrl-C does not wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any


class TrainingStopped(KeyboardInterrupt):
    """The training was told to stop and has saved what it has."""

    def __init__(self, step: int, steps: int) -> None:
        self.step, self.steps = step, steps
        super().__init__(f"saved after step {step} of {steps}; run the same command to go on")


@dataclass
class Wish:
    """Whether somebody wants the training to stop."""

    stop: bool = False


@contextmanager
def stop_kindly(heard: Callable[[], None] = lambda: None) -> Iterator[Wish]:
    """Inside the block the first Ctrl-C only makes a wish; elsewhere than in the main thread nothing is changed.

    `heard` is called at once: finishing the step may take minutes, in which silence would look like a hang.
    """
    wish = Wish()
    if threading.current_thread() is not threading.main_thread():
        yield wish
        return
    before: Any = signal.getsignal(signal.SIGINT)

    def first(number: int, frame: FrameType | None) -> None:
        wish.stop = True
        signal.signal(signal.SIGINT, before)
        heard()

    if before in (signal.SIG_IGN, None):  # started in the background: Ctrl-C is not meant for it
        yield wish
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield wish
    finally:
        signal.signal(signal.SIGINT, before)
