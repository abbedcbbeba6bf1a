"""One phase of a training: TRL's SFTTrainer around a PEFT model, with labels made by us, resumable at any step."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.lora.checkpoints import newest_checkpoint, seal
from models.lora.schedule import Batch, PhasePlan
from models.lora.stopping import TrainingStopped, Wish
from schemas.errors import StageFailed
from schemas.settings import LoraPreset

#: At most so many windows are measured for a validation loss, taken at equal distances.
VALIDATION_WINDOWS = 1000


@dataclass(frozen=True)
class Step:
    """One optimizer step of a phase, counted from 1 within it."""

    step: int
    loss: float
    learning_rate: float


#: Called after each optimizer step, with the tokens that this process has trained on in this phase.
OnStep = Callable[[Step, int], None]


def import_trainer() -> None:
    """Load the libraries that a training needs, which takes memory and time of its own."""
    import peft  # noqa: F401
    import trl

    assert trl.SFTTrainer  # it is imported when it is looked at


def make_trainer(
    model: Any, tokenizer: Any, preset: LoraPreset, plan: PhasePlan, batch: Batch, rows: Any, work: Path
) -> Any:
    """An SFTTrainer over rows that are ready; nothing of them is cut, dropped or reordered but by the seed."""
    from transformers import PrinterCallback
    from trl import SFTTrainer

    kept = {name: weight.data.clone() for name, weight in model.named_parameters() if weight.requires_grad}
    trainer = SFTTrainer(
        model=model,
        args=_arguments(preset, plan, batch, work),
        train_dataset=rows,
        processing_class=tokenizer,
    )
    for name, weight in model.named_parameters():
        if name in kept:  # TRL rounds the adapter of a quantized base to bf16, in which small steps vanish
            weight.data = kept[name]
    trainer.create_model_card = lambda *_, **__: None  # of checkpoints that nobody will publish
    trainer.remove_callback(PrinterCallback)  # with disable_tqdm it would print every log line
    if len(trainer.train_dataset) != len(rows):
        raise StageFailed(
            f"the trainer kept {len(trainer.train_dataset)} of {len(rows)} rows",
            fix="This is a fault in vatra, or a version of TRL that it does not know; please report it.",
        )
    return trainer


def run_phase(trainer: Any, plan: PhasePlan, work: Path, wish: Wish, on_step: OnStep) -> tuple[Step, ...]:
    """Train from the newest whole checkpoint in `work`, or from the start; returns every step of the phase.

    Raises StageFailed when a loss or a gradient is no number (the checkpoint before it stays), TrainingStopped.
    """
    begun = newest_checkpoint(work)
    trainer.add_callback(_callback(plan, wish, on_step))
    trainer.train(resume_from_checkpoint=str(begun) if begun else None)
    done = trainer.state.global_step
    if wish.stop and done < plan.steps:
        raise TrainingStopped(done, plan.steps)
    if done != plan.steps:
        raise StageFailed(f"the trainer made {done} of {plan.steps} steps")
    return tuple(
        Step(log["step"], log["loss"], log["learning_rate"])
        for log in trainer.state.log_history
        if "loss" in log
    )


def mean_loss(trainer: Any, windows: Any | None) -> float | None:
    """Mean cross entropy per trained token (nats) over at most VALIDATION_WINDOWS windows; None for none."""
    import torch

    if windows is None:
        return None
    number = min(len(windows), VALIDATION_WINDOWS)
    chosen = [i * len(windows) // number for i in range(number)]
    size = trainer.args.per_device_train_batch_size
    model, total, tokens = trainer.model, 0.0, 0
    model.eval()
    for start in range(0, number, size):
        rows = [windows[i] for i in chosen[start : start + size]]
        rows = [{name: row[name] for name in ("input_ids", "labels")} for row in rows]
        batch = {
            key: value.to(model.device) if hasattr(value, "to") else value
            for key, value in trainer.data_collator(rows).items()
        }
        count = int((batch["labels"][:, 1:] != -100).sum())
        with torch.no_grad(), trainer.compute_loss_context_manager():
            total += float(trainer.compute_loss(model, batch)) * count
        tokens += count
    model.train()
    for measured in trainer._metrics.values():  # else they would go into the next line of the log
        measured.clear()
    return total / tokens


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


def _arguments(preset: LoraPreset, plan: PhasePlan, batch: Batch, work: Path) -> Any:
    import torch
    from trl import SFTConfig

    from models.lora.loading import torch_dtype

    gpu = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(work),
        max_steps=plan.steps,
        per_device_train_batch_size=batch.size,
        gradient_accumulation_steps=batch.accumulation,
        learning_rate=plan.learning_rate,
        lr_scheduler_type=preset.scheduler,
        warmup_steps=plan.warmup_steps,
        max_grad_norm=preset.max_grad_norm,
        weight_decay=preset.weight_decay,
        optim="adamw_torch",
        seed=preset.seed,
        data_seed=preset.seed,
        max_length=preset.max_length if preset.packing else None,
        packing=preset.packing,
        dataset_kwargs={
            "skip_prepare_dataset": True
        },  # rows are ready: TRL would drop and cut without a word
        # Left to itself TRL turns bf16 on, also on a CPU.
        bf16=gpu and torch_dtype(preset) == torch.bfloat16,
        use_cpu=not gpu,
        gradient_checkpointing=preset.gradient_checkpointing,
        dataloader_pin_memory=gpu,
        include_num_input_tokens_seen="non_padding",
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a loss that is no number is logged as the mean of the others
        save_strategy="steps",
        save_steps=preset.checkpoint_steps,
        save_total_limit=2,  # the one being written, and the last whole one
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
