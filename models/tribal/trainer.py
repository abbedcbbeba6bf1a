"""The transformers Trainer for packed windows: what decays, what is logged, how it is validated, when it stops."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from models.training.checkpoints import seal
from models.training.schedule import Batch, PhasePlan
from models.tribal.measuring import Measurement
from schemas.errors import StageFailed
from schemas.settings.tribal import TribalPreset

#: Keys of a validation in the trainer's log.
LM_LOSS, LABEL_LOSS, BITS = "validation_lm_loss", "validation_label_loss", "validation_bits_per_byte"

#: Measures a model within the context in which the trainer computes.
Measure = Callable[[Any, Callable[[], AbstractContextManager[Any]]], Measurement | None]


class Rows(Dataset[tuple[int, ...]]):
    """Packed rows: window numbers. The collator makes tensors of them."""

    def __init__(self, rows: Sequence[tuple[int, ...]]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> tuple[int, ...]:
        return self._rows[number]


class TribalTrainer(Trainer):  # type: ignore[misc]
    """Decays matrices only, logs both losses, and validates with `measure`."""

    def __init__(self, measure: Measure | None, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._measure = measure
        self._parts: dict[str, list[torch.Tensor]] = {}
        self.remove_callback(PrinterCallback)  # with disable_tqdm it would print every log line

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        """Weights of linear layers and embeddings; no biases, norms, gates or profiles."""
        return [name for name, w in model.named_parameters() if name.endswith(".weight") and w.ndim > 1]

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The model's loss; its parts are kept for the log."""
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        for name in ("lm_loss", "label_loss"):
            part = getattr(outputs, name, None)
            if part is not None:
                self._parts.setdefault(name, []).append(part.detach())
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the parts of the loss to a step's line."""
        if "loss" in logs:
            for name, parts in self._parts.items():
                # Of accumulated batches, lm_loss is a share of the step's mean, label_loss a mean of its own.
                logs[name] = float(sum(parts)) if name == "lm_loss" else float(sum(parts)) / len(parts)
            self._parts.clear()
        super().log(logs, start_time)

    def measure_now(self) -> Measurement | None:
        """The validation rows under the present weights; None when there are none."""
        self.model.to(self.args.device)
        return self._measure(self.model, self.compute_loss_context_manager) if self._measure else None

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the validation rows; the figures go into the log, and so into checkpoints."""
        found = self.measure_now()
        metrics = {} if found is None else told(found)
        if not all(map(math.isfinite, metrics.values())):
            raise StageFailed(
                f"the validation loss is not a number at step {self.state.global_step}",
                fix="Lower learning_rate in the NOVA preset; the last good checkpoint is kept for a look.",
            )
        if metrics:
            self.log(metrics)
        self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def told(found: Measurement) -> dict[str, float]:
    """A measurement as it stands in the trainer's log."""
    values = {LM_LOSS: found.lm_loss, LABEL_LOSS: found.label_loss, BITS: found.bits_per_byte}
    return {name: value for name, value in values.items() if value is not None}


class Validating(TrainerCallback):  # type: ignore[misc]
    """Asks for validations, keeps the weights of the best one, and ends a phase that no longer gets better.

    All that it goes by stands in the trainer's log, which checkpoints hold: a phase that goes on decides as one that
    was never stopped.
    """

    def __init__(self, every: int, patience: int | None, folder: Path) -> None:
        self._every, self._patience, self._folder = every, patience, folder
        self.ended = False

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Validate every so many steps, and after the last one."""
        if state.global_step % self._every == 0 or state.global_step >= state.max_steps:
            control.should_evaluate = True

    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **rest: Any) -> None:
        """Keep the best weights; stop after `patience` validations without better ones."""
        best, since = best_step(state.log_history)
        if since == 0:
            folder = best_folder(self._folder, best)
            model.save_pretrained(folder)
            seal(folder, {"step": best})
        if self._patience is not None and since >= self._patience and state.global_step < state.max_steps:
            self.ended = control.should_training_stop = True
            control.should_save = False  # else a phase that is taken up again would make one step more

    def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        """Throw away weights that are the best no longer; those of the checkpoint's own best are needed to go on."""
        if any(LM_LOSS in entry for entry in state.log_history):
            best = best_folder(self._folder, best_step(state.log_history)[0])
            for folder in self._folder.glob("best-*"):
                if folder != best:
                    shutil.rmtree(folder)


def best_step(history: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """The step of the best validation in a trainer's log, and how many came after it."""
    found = [(entry[LM_LOSS], int(entry["step"])) for entry in history if LM_LOSS in entry]
    place = min(range(len(found)), key=lambda number: (found[number][0], number))
    return found[place][1], len(found) - 1 - place


def validations(history: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The validations in a trainer's log: step, lm_loss, label_loss, bits_per_byte."""
    return [
        {
            "step": int(entry["step"]), "lm_loss": entry[LM_LOSS], "label_loss": entry.get(LABEL_LOSS),
            "bits_per_byte": entry[BITS],
        }
        for entry in history
        if LM_LOSS in entry
    ]  # fmt: skip


def best_folder(work: Path, step: int) -> Path:
    """Where the weights of a validation are kept while they are the best."""
    return work / f"best-{step}"


def arguments(preset: TribalPreset, plan: PhasePlan, batch: Batch, work: Path) -> TrainingArguments:
    """How the Trainer runs a phase."""
    gpu = torch.cuda.is_available()
    made = TrainingArguments(
        output_dir=str(work),
        max_steps=plan.steps,
        per_device_train_batch_size=batch.size,
        gradient_accumulation_steps=batch.accumulation,
        learning_rate=plan.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": preset.final_ratio},
        warmup_steps=plan.warmup_steps,
        max_grad_norm=preset.max_grad_norm,
        weight_decay=preset.weight_decay,
        adam_beta2=0.95,  # as is usual for models trained from nothing: the variance is that of the last steps
        optim="adamw_torch_fused",
        seed=preset.seed,
        data_seed=preset.seed,
        bf16=preset.dtype == "bf16" or (preset.dtype == "auto" and gpu),
        use_cpu=not gpu,
        dataloader_pin_memory=gpu,
        remove_unused_columns=False,  # rows are numbers of windows, and no columns
        include_num_input_tokens_seen="non_padding",
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a loss that is no number is logged as the mean of the others
        save_strategy="steps",
        save_steps=preset.checkpoint_steps,
        save_total_limit=2,  # the one being written, and the last whole one
        eval_strategy="no",  # Validating asks for it
        report_to="none",
        disable_tqdm=True,
    )
    made._n_gpu = min(made.n_gpu, 1)  # several would split a batch, whose losses do not add up
    return made
