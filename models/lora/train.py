"""From corpus shards and a preset to an adapter that has been proven to load."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from models.lora.corpus import encode_split, load_split, nothing_to_train, texts_of
from models.lora.demo_base import DESCRIPTION, build_demo_base, train_tokenizer
from models.lora.encoding import EncodingCounts
from models.lora.proof import AdapterShape, check_adapter, check_reload
from models.lora.result import LoraResult
from models.lora.saving import save_adapter
from models.lora.training import OnStep, Trained, train_adapter
from models.quiet import forbid_telemetry, quiet_datasets, quiet_libraries
from schemas.errors import SettingsError, StageFailed, StoreError
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase

#: Distributions whose version changes the result of a run.
LIBRARIES = ("accelerate", "datasets", "peft", "tokenizers", "torch", "transformers", "trl")
BASE, ADAPTER, RESULT = "base", "adapter", "train.json"
_WORK = ".work"


def _silent(step: int, steps: int, loss: float) -> None:
    """The default of `on_step`."""


def train_lora(
    preset: LoraPreset, corpus: Mapping[str, Sequence[Path]], out: Path, on_step: OnStep = _silent
) -> LoraResult:
    """Train a LoRA on `corpus["train"]`; write `base/`, `adapter/`, `train.json` to the empty folder `out`.

    `corpus` maps splits to Parquet shards in `schemas.tables.CORPUS`; `validation` is only measured, `test`
    is not read. Nothing is written outside `out`, nothing is asked of another host. `on_step` gets (step,
    steps, loss) after each optimizer step. Raises StageFailed, SettingsError, InputError, StoreError.
    """
    if out.exists() and any(out.iterdir()):
        raise StoreError("the folder for the adapter is not empty", where=str(out))
    forbid_telemetry()
    work = out / _WORK
    work.mkdir(parents=True)
    try:
        with quiet_libraries(), quiet_datasets():
            result = _train(preset, corpus, out, work, on_step)
    except SafetensorError as error:  # what safetensors makes of any refusal of the system
        reason = "no space left on device" if "os error 28" in str(error) else "see the disk and its rights"
        raise StoreError(
            f"the adapter cannot be written: {reason}", where=str(out), fix="Free some space and run again."
        ) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    (out / RESULT).write_text(result.model_dump_json(indent=2) + "\n", "utf-8")
    return result


def _train(
    preset: LoraPreset, corpus: Mapping[str, Sequence[Path]], out: Path, work: Path, on_step: OnStep
) -> LoraResult:
    rows = load_split(corpus.get("train", ()), work / "train")
    if rows is None:
        raise StageFailed("there is nothing to train on: the corpus has no training example")
    if not isinstance(preset.base, DemoBase) or preset.max_steps is None:
        raise SettingsError("only the demo base can be trained so far, for a number of max_steps")
    tokenizer = train_tokenizer(texts_of(rows), preset.base.vocab_size, preset.max_length)
    build_demo_base(preset.base, tokenizer, preset.max_length, preset.seed, out / BASE)
    train, counts = encode_split(rows, tokenizer, preset.max_length)
    if train is None:
        raise nothing_to_train(counts, preset.max_length)
    validation, held_out = encode_split(
        load_split(corpus.get("validation", ()), work / "validation"), tokenizer, preset.max_length
    )
    trained = train_adapter(preset, out / BASE, train, validation, work / "trainer", on_step)
    shape = check_adapter(trained.model, preset)
    save_adapter(trained.model, tokenizer, out / ADAPTER)
    check_reload(trained.model, out / BASE, out / ADAPTER, train[0]["input_ids"])
    return _result(preset, trained, shape, counts, held_out, tokenizer)


def _result(
    preset: LoraPreset,
    trained: Trained,
    shape: AdapterShape,
    counts: EncodingCounts,
    held_out: EncodingCounts,
    tokenizer: Any,
) -> LoraResult:
    return LoraResult(
        base=DESCRIPTION,
        base_is_demo=True,
        preset=preset.description,
        steps=len(trained.losses),
        examples=counts.examples,
        examples_set_aside=dict(sorted(counts.set_aside.items())),
        validation_examples=held_out.examples,
        replies=counts.replies,
        replies_left_out=counts.replies_left_out,
        tokens=counts.tokens,
        trained_tokens=counts.trained_tokens,
        vocab_size=len(tokenizer),
        first_loss=trained.losses[0],
        last_loss=trained.losses[-1],
        validation_loss_before=trained.validation_before,
        validation_loss_after=trained.validation_after,
        base_parameters=shape.base_parameters,
        trainable_parameters=shape.trainable_parameters,
        target_modules=preset.target_modules,
        adapted_layers=shape.adapted_layers,
        libraries={name: version(name) for name in LIBRARIES},
    )
