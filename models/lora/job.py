"""Everything that is settled before the first step: the base, the agreement, the windows, the plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.chat_tokenizer import train_tokenizer
from models.lora.backends import choose_backend, prepare_imports
from models.lora.bases import base_identity, find_base, load_tokenizer
from models.lora.corpus import load_split, texts_of
from models.lora.demo_base import build_demo_base
from models.lora.loading import torch_dtype
from models.lora.preflight import PlannedPhase, Preflight, plan_disk, plan_memory
from models.lora.preparing import Split, check_phases, check_share, prepare_split
from models.lora.reached import Reading, count_windows, sum_up
from models.lora.schedule import plan_phases
from models.lora.shapes import read_shape
from models.lora.template import Template, agree
from models.training.schedule import Batch, PhasePlan
from schemas.errors import StageFailed
from schemas.settings import LoraPreset
from schemas.settings.training import DemoBase

#: Shards by split.
Corpus = Mapping[str, Sequence[Path]]


@dataclass(frozen=True)
class Job:
    """A training that can begin. `rows` are the trainer's rows of each phase: windows, or windows packed together."""

    preset: LoraPreset
    backend: str
    base: Path
    base_revision: str | None
    base_identity: str
    tokenizer: Any
    template: Template
    train: Split
    validation: Split
    rows: tuple[Any, ...]
    reading: Reading
    plans: tuple[PhasePlan, ...]
    batch: Batch
    preflight: Preflight
    work: Path


def plan_job(preset: LoraPreset, corpus: Corpus, work: Path, cache: Path | None, batch: Batch) -> Job:
    """Read, cut and count the corpus, find or build the base, and check that it all fits. Trains nothing.

    Raises StageFailed (nothing to train on), UsageError (memory, phases), StoreError (disk), MissingModel,
    SettingsError, InputError.
    """
    backend = choose_backend(preset)
    prepare_imports(backend)
    identity = base_identity(preset, cache)
    dataset = load_split(corpus.get("train", ()), work / "data" / "train")
    if dataset is None:
        raise StageFailed("there is nothing to train on: the corpus has no training example")
    base, revision, tokenizer = _open_base(preset, dataset, work, cache)
    template = agree(tokenizer, preset.system, preset.role_names)
    train = prepare_split(dataset, preset, template, tokenizer)
    check_phases(train, preset)
    check_share(train.total(), preset)
    held_out = load_split(corpus.get("validation", ()), work / "data" / "validation")
    validation = prepare_split(held_out, preset, template, tokenizer)
    rows, members = zip(*(_trainer_rows(train.phase(number), preset) for number in train.counts), strict=True)
    reading = count_windows(train.windows, members)
    plans = plan_phases(preset, [0 if one is None else len(one) for one in rows])
    preflight = _preflight(preset, backend, base, train, reading, validation, plans, batch, work)
    return Job(
        preset, backend, base, revision, identity, tokenizer, template, train, validation, rows, reading, plans,
        batch, preflight, work,
    )  # fmt: skip


def _open_base(
    preset: LoraPreset, dataset: Any, work: Path, cache: Path | None
) -> tuple[Path, str | None, Any]:
    if not isinstance(preset.base, DemoBase):
        found = find_base(preset.base, cache)
        return found.folder, found.revision, load_tokenizer(found.folder)
    tokenizer = train_tokenizer(texts_of(dataset), preset.base.vocab_size, preset.max_length)
    build_demo_base(preset.base, tokenizer, preset.max_length, preset.seed, work / "base")
    return work / "base", None, tokenizer


def _trainer_rows(windows: Any | None, preset: LoraPreset) -> tuple[Any | None, list[list[int]] | None]:
    """The columns that a trainer takes; packed best fit first, each window whole, where the preset asks for it.

    Beside them, for packed rows, which windows each is made of.
    """
    if windows is None:
        return None, None
    bare = windows.select_columns(["input_ids", "labels"])
    if not preset.packing:
        return bare, None
    from trl import pack_dataset

    numbered = bare.map(
        _number, batched=True, with_indices=True, load_from_cache_file=False, new_fingerprint="numbered"
    )
    packed = pack_dataset(numbered, preset.max_length, "bfd", {"load_from_cache_file": False})
    tokens = sum(len(ids) for ids in bare["input_ids"])
    kept = sum(len(ids) for ids in packed["input_ids"])
    if kept != tokens:
        raise StageFailed(f"packing lost tokens: {kept} of {tokens} are left", fix="Set packing: false.")
    members = [list(dict.fromkeys(row)) for row in packed["number"]]
    return packed.remove_columns("number"), members


def _number(rows: Mapping[str, Any], numbers: Sequence[int]) -> dict[str, list[list[int]]]:
    """Every token with the number of its window: packing moves all columns alike."""
    return {"number": [[n] * len(ids) for n, ids in zip(numbers, rows["input_ids"], strict=True)]}


def _preflight(
    preset: LoraPreset, backend: str, base: Path, train: Split, reading: Reading, validation: Split,
    plans: Sequence[PhasePlan], batch: Batch, work: Path,
) -> Preflight:  # fmt: skip
    shape, total = read_shape(base, preset), train.total()
    width = torch_dtype(preset).itemsize
    memory, device, free = plan_memory(shape, preset, batch, total.longest, width)
    disk, free_disk = plan_disk(shape, total.tokens, work)
    read = reading.read(((plan, batch) for plan in plans), preset.seed)
    examples = sum_up(read).examples
    return Preflight(
        backend=backend,
        device=device,
        phases=tuple(_planned(train, plan, read) for plan in plans),
        validation_windows=validation.total().windows,
        examples=examples,
        examples_not_reached=sum_up(reading.figures).examples - examples,
        steps=sum(plan.steps for plan in plans),
        tokens=total.tokens,
        memory=memory,
        free_bytes=free,
        disk_bytes=disk,
        free_disk_bytes=free_disk,
    )


def _planned(train: Split, plan: PhasePlan, read: Any) -> PlannedPhase:
    counts = train.counts[plan.number]
    return PlannedPhase(
        number=plan.number,
        name=plan.name,
        learning_rate=plan.learning_rate,
        epochs=plan.epochs,
        rows=counts.rows,
        examples=counts.examples,
        windows=counts.windows,
        tokens=counts.tokens,
        trained_tokens=counts.trained_tokens,
        steps=plan.steps,
        windows_not_reached=counts.windows - read["phase"].to_pylist().count(plan.number),
        set_aside=dict(sorted(counts.set_aside.items())),
    )
