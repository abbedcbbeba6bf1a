"""One phase of a training under a transformers Trainer: every step watched, resumable at any of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.checkpoints import newest_checkpoint, seal, step_of
from models.training.schedule import PhasePlan
from models.training.stopping import TrainingStopped, Wish
from schemas.errors import StageFailed


@dataclass(frozen=True)
class Step:
    """One optimizer step of a phase, counted from 1 within it."""

    step: int
    loss: float
    learning_rate: float


#: Called after each optimizer step, with the tokens that this process has trained on in this phase.
OnStep = Callable[[Step, int], None]


def run_phase(
    trainer: Any,
    plan: PhasePlan,
    work: Path,
    wish: Wish,
    on_step: OnStep,
    ended: Callable[[], bool] = lambda: False,
) -> tuple[Step, ...]:
    """Train from the newest whole checkpoint in `work`, or from the start; returns every step of the phase.

    `ended` says whether a callback of the trainer's ended the phase before its plan, as it may.

    Raises StageFailed when a loss or a gradient is no number (the checkpoint before it stays), TrainingStopped.
    """
    begun = newest_checkpoint(work)
    trainer.add_callback(_callback(plan, wish, on_step))
    if begun is not None and step_of(begun) >= plan.steps:
        _take_up(trainer, begun)
    else:
        trainer.train(resume_from_checkpoint=str(begun) if begun else None)
    done = trainer.state.global_step
    if wish.stop and done < plan.steps and not ended():
        raise TrainingStopped(done, plan.steps)
    if done != plan.steps and not ended():
        raise StageFailed(f"the trainer made {done} of {plan.steps} steps")
    return tuple(
        Step(log["step"], log["loss"], log["learning_rate"])
        for log in trainer.state.log_history
        if "loss" in log
    )


def _take_up(trainer: Any, checkpoint: Path) -> None:
    """A phase whose last step is saved: its weights and its log. The Trainer would make a step more where that step
    lies within an epoch."""
    from transformers import TrainerState

    trainer.state = TrainerState.load_from_json(str(checkpoint / "trainer_state.json"))
    trainer._load_from_checkpoint(str(checkpoint))


def _callback(plan: PhasePlan, wish: Wish, on_step: OnStep) -> Any:
    from transformers import TrainerCallback

    class Steps(TrainerCallback):  # type: ignore[misc]
        """Watches every step: numbers that are none, wishes to stop, seals on checkpoints."""

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if not logs or "loss" not in logs:
                return
            loss, gradient = float(logs["loss"]), float(logs.get("grad_norm", 0.0))
            if not (math.isfinite(loss) and math.isfinite(gradient)):
                what = "loss" if not math.isfinite(loss) else "gradient"
                raise StageFailed(
                    f"the {what} is not a number at step {state.global_step} of phase {plan.name}",
                    fix="Lower learning_rate in the model preset; the last good checkpoint is kept for a look.",
                )
            on_step(
                Step(state.global_step, loss, float(logs["learning_rate"])), int(state.num_input_tokens_seen)
            )
            if wish.stop:  # since the step ended
                control.should_save = control.should_training_stop = True

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if wish.stop:
                control.should_save = control.should_training_stop = True

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            seal(Path(args.output_dir) / f"checkpoint-{state.global_step}", {"step": state.global_step})

    return Steps()
