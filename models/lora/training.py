"""The training itself: TRL's SFTTrainer around a PEFT LoRA, with labels made by us."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.errors import SettingsError, StageFailed
from schemas.settings import LoraPreset

#: Called after each optimizer step with (step, steps, loss).
OnStep = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Trained:
    """A trained PEFT model, still in memory, and its losses (one per optimizer step)."""

    model: Any
    losses: tuple[float, ...]
    validation_before: float | None
    validation_after: float | None


def train_adapter(
    preset: LoraPreset, base: Path, train: Any, validation: Any | None, work: Path, on_step: OnStep
) -> Trained:
    """Train a LoRA on the model in the folder `base`; `work` takes what the trainer wants to write.

    `train` and `validation` are datasets with `input_ids` and `labels`. Raises SettingsError when the preset
    and the base do not fit, StageFailed when the trainer lost examples or the loss is not a number.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, TrainerCallback
    from trl import SFTTrainer

    losses: list[float] = []

    class StepReport(TrainerCallback):  # type: ignore[misc]
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if logs and "loss" in logs:
                losses.append(float(logs["loss"]))
                on_step(state.global_step, state.max_steps, losses[-1])

    model = AutoModelForCausalLM.from_pretrained(base, local_files_only=True)
    check_targets(model, preset.target_modules)
    trainer = SFTTrainer(
        model=model,
        args=_arguments(preset, work),
        train_dataset=train,
        processing_class=AutoTokenizer.from_pretrained(base, local_files_only=True),
        peft_config=_lora(preset),
        callbacks=[StepReport()],
    )
    trainer.remove_callback(PrinterCallback)  # with disable_tqdm it would print every log line
    _check_nothing_lost(trainer.train_dataset, train)
    before = mean_loss(trainer, validation)
    trainer.train()
    after = mean_loss(trainer, validation)
    _check_losses(losses, preset.max_steps or len(losses), after)
    return Trained(trainer.model, tuple(losses), before, after)


def check_targets(model: Any, targets: tuple[str, ...]) -> None:
    """Every target must name linear layers of the base. Raises SettingsError."""
    import torch

    linear = {n.rsplit(".", 1)[-1] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    linear.discard(
        "lm_head"
    )  # TRL computes the loss from its weight directly and would never train an adapter
    unknown = [target for target in targets if target not in linear]
    if unknown:
        raise SettingsError(
            f"target_modules: the base has no layer {unknown[0]!r} that an adapter can sit on",
            fix=f"There are: {', '.join(sorted(linear))}.",
        )


def mean_loss(trainer: Any, dataset: Any | None) -> float | None:
    """Mean cross entropy per trained token (nats) over a whole data set; None for none."""
    import torch

    if dataset is None:
        return None
    model, total, tokens = trainer.model, 0.0, 0
    model.eval()
    size = trainer.args.per_device_train_batch_size
    for start in range(0, len(dataset), size):
        rows = [dataset[i] for i in range(start, min(start + size, len(dataset)))]
        batch = {key: value.to(model.device) for key, value in trainer.data_collator(rows).items()}
        labels = batch.pop("labels")[:, 1:]
        with torch.inference_mode():
            logits = model(**batch).logits[:, :-1].float()
        total += torch.nn.functional.cross_entropy(
            logits.flatten(0, 1), labels.flatten(), reduction="sum"
        ).item()
        tokens += int((labels != -100).sum())
    return total / tokens


def _lora(preset: LoraPreset) -> Any:
    from peft import LoraConfig

    return LoraConfig(
        r=preset.rank,
        lora_alpha=preset.alpha,
        lora_dropout=preset.dropout,
        target_modules=list(preset.target_modules),
        bias="none",
        task_type="CAUSAL_LM",
    )


def _arguments(preset: LoraPreset, work: Path) -> Any:
    import torch
    from trl import SFTConfig

    return SFTConfig(
        output_dir=str(work),
        max_steps=preset.max_steps or -1,
        per_device_train_batch_size=preset.batch_size,
        gradient_accumulation_steps=preset.gradient_accumulation,
        learning_rate=preset.learning_rate,
        seed=preset.seed,
        data_seed=preset.seed,
        max_length=None,  # cut by us, at message ends
        packing=False,
        # Left to itself TRL turns bf16 on, also on a CPU.
        bf16=False,
        use_cpu=not torch.cuda.is_available(),
        gradient_checkpointing=False,  # saves memory that a tiny base does not need
        dataloader_pin_memory=torch.cuda.is_available(),
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a loss that is no number is logged as the mean of the others
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )


def _check_nothing_lost(kept: Any, given: Any) -> None:
    """TRL drops fully masked examples with only a progress line; a run on less is not the run asked for."""
    if len(kept) != len(given):
        raise StageFailed(
            f"the trainer kept {len(kept)} of {len(given)} examples",
            fix="This is a fault in vatra, or a version of TRL that it does not know; please report it.",
        )


def _check_losses(losses: list[float], steps: int, validation: float | None) -> None:
    if len(losses) != steps:
        raise StageFailed(f"the trainer made {len(losses)} of {steps} steps")
    bad = [step for step, loss in enumerate(losses, 1) if not math.isfinite(loss)]
    if bad or (validation is not None and not math.isfinite(validation)):
        where = f"at step {bad[0]}" if bad else "on the validation set"
        raise StageFailed(f"the loss is not a number {where}", fix="Lower learning_rate in the model preset.")
