"""One phase of a training: TRL's SFTTrainer around a PEFT model, with labels made by us, resumable at any step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.training.schedule import Batch, PhasePlan
from schemas.errors import StageFailed
from schemas.settings import LoraPreset

#: At most so many windows are measured for a validation loss, taken at equal distances.
VALIDATION_WINDOWS = 1000


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
