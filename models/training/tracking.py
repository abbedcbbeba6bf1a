"""The curve of a run in TensorBoard or Weights & Biases, when somebody asks for it; by default nobody is told.

Neither is installed with vatra. W&B is written to the home's logs and sent nowhere: `wandb sync` does that by hand,
unless WANDB_MODE says otherwise. Numbers only are told: no text of a chat, no path.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from models.training.watching import StepDone, StepWatcher
from schemas.errors import UsageError

KINDS = ("tensorboard", "wandb")


def check_tracker(kind: str) -> None:
    """Raises UsageError when the package is missing."""
    import importlib.util

    if kind not in KINDS:
        raise UsageError(
            f"nobody called {kind!r} can be told", where="--track", fix=f"There are: {', '.join(KINDS)}."
        )
    if importlib.util.find_spec(kind) is None:
        raise UsageError(
            f"{kind} is not installed",
            where="--track",
            fix=f"Run `pip install {kind}` in vatra's environment.",
        )


def open_tracker(kind: str, folder: Path, name: str) -> StepWatcher:
    """Who is told of each step. Raises UsageError when the package is missing."""
    check_tracker(kind)
    return _TensorBoard(folder / "tensorboard") if kind == "tensorboard" else _Wandb(folder, name)


class _TensorBoard(StepWatcher):
    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder))

    def stepped(self, step: StepDone) -> None:
        for key, value in _figures(step).items():
            self._writer.add_scalar(key, value, step.step)
        self._writer.flush()


class _Wandb(StepWatcher):
    def __init__(self, folder: Path, name: str) -> None:
        import wandb

        mode = os.environ.get("WANDB_MODE", "offline")
        self._run: Any = wandb.init(project="vatra", name=name, dir=str(folder), mode=mode)

    def stepped(self, step: StepDone) -> None:
        self._run.log(_figures(step), step=step.step)
        if step.step == step.steps:
            self._run.finish()


def _figures(step: StepDone) -> dict[str, float]:
    figures: dict[str, float] = {"loss": step.loss, "learning_rate": step.learning_rate, "phase": step.phase}
    if step.seconds > 0:
        figures["tokens_per_second"] = step.tokens / step.seconds
    return figures
