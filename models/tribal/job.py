"""All that is settled before the first step of a NOVA training: data, the model's shape, phases, what it takes."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.training.halving import read_batch
from models.training.schedule import Batch, wanted_batch
from models.tribal.corpus import Corpus
from models.tribal.memory import plan_disk, plan_memory
from models.tribal.plan import PlannedLabels, PlannedTribalPhase, TribalPlan
from models.tribal.preparing import Prepared, check_test, prepare
from models.tribal.reached import sum_up, windows_read
from models.tribal.schedule import PhaseRows, plan_phases, validation_rows
from schemas.errors import SettingsError
from schemas.settings.tribal import TribalPreset

NO_VALIDATION = "There is no validation split to measure: no phase ends early, and its last weights are kept."


@dataclass(frozen=True)
class Job:
    """A training that can begin."""

    prepared: Prepared
    config: Any
    phases: tuple[PhaseRows, ...]
    plan: TribalPlan


def plan_job(preset: TribalPreset, corpus: Corpus, work: Path) -> Job:
    """Prepare and plan. Raises as `prepare` and `plan_phases` do, UsageError (memory), StoreError (disk)."""
    prepared = prepare(preset, {split: corpus.get(split, ()) for split in ("train", "validation")})
    check_test(prepared, corpus)
    config = nova_config(prepared)
    phases = plan_phases(prepared)
    batch, _ = read_batch(work, wanted_batch(preset))
    return Job(prepared, config, phases, _plan(prepared, config, phases, batch, work))


def nova_config(prepared: Prepared, **changes: Any) -> Any:
    """The NovaConfig of a preset for prepared data; `changes` are fields of it. Raises SettingsError."""
    from huggingface_hub.errors import StrictDataclassError

    from models.tribal.configuration import NovaConfig

    preset, tokenizer = prepared.preset, prepared.tokenizer
    values = {
        "vocab_size": len(tokenizer), "d_model": preset.d_model, "n_layers": preset.layers, "n_heads": preset.heads,
        "context": preset.context, "members": list(prepared.members), "mixing": preset.mixing,
        "member_rank": preset.member_rank, "detector_dim": preset.detector_dim, "dropout": preset.dropout,
        "member_widths": None if preset.member_widths is None else list(preset.member_widths),
        "label_loss_weight": preset.label_loss_weight, "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id, **changes,
    }  # fmt: skip
    try:
        return NovaConfig(**values)
    except (ValueError, StrictDataclassError) as error:
        raise SettingsError(str(error).splitlines()[0], where="the NOVA preset") from None


def build_nova(config: Any, seed: int) -> Any:
    """A NovaForCausalLM with random weights that the seed fixes."""
    import torch

    from models.tribal.modeling import NovaForCausalLM

    torch.manual_seed(seed)
    return NovaForCausalLM(copy.deepcopy(config))  # the Trainer changes it


def count_parameters(config: Any) -> int:
    """Weights of a NOVA, a shared one once; no memory is taken for it."""
    import torch

    from models.tribal.modeling import NovaForCausalLM

    with torch.device("meta"):
        return sum(weight.numel() for weight in NovaForCausalLM(config).parameters())


def describe_labels(prepared: Prepared) -> PlannedLabels:
    """Labels of the training split; every member is named."""
    labels = prepared.train.labels
    return PlannedLabels(
        turns={name: labels.turns[name] for name in prepared.members},
        tokens={name: labels.tokens[name] for name in prepared.members},
        unlabelled=dict(sorted(labels.unlabelled.items())),
        strangers=dict(sorted(labels.strangers.items(), key=lambda item: (-item[1], item[0]))),
    )


def set_aside(prepared: Prepared, examples: int) -> dict[str, int]:
    """Examples of the training split that are not read, by reason; `examples` are."""
    aside = Counter(prepared.train.set_aside)
    left = len(prepared.train.documents.example_ids) - examples
    if left:
        aside["not_reached"] = left
    return dict(sorted(aside.items()))


def notes_on(prepared: Prepared, phases: Sequence[PhaseRows]) -> tuple[str, ...]:
    """What a person should know of the data before it is trained on."""
    notes = [NO_VALIDATION] if not all(phase.validation for phase in phases) else []
    labels = describe_labels(prepared)
    silent = [name for name in prepared.members[1:] if not labels.turns[name]]
    if not any(labels.turns.values()):
        notes.append("No turn of the training split says which member speaks: who does is never taught.")
    elif silent and prepared.preset.label_loss_weight:
        notes.append(f"No labelled turn in the training split for: {', '.join(silent)}.")
    return tuple(notes)


def _plan(
    prepared: Prepared, config: Any, phases: tuple[PhaseRows, ...], batch: Batch, work: Path
) -> TribalPlan:
    preset, train, held_out = prepared.preset, prepared.train, prepared.validation
    parameters = count_parameters(config)
    memory, device, free = plan_memory(preset, parameters, batch)
    disk, free_disk = plan_disk(parameters, len(train.documents.ids), len(phases), work)
    planned = [windows_read(phase, batch, preset.seed, phase.plan.steps) for phase in phases]
    total = sum_up(train, set().union(*planned))
    return TribalPlan(
        device=device,
        members=prepared.members,
        parameters=parameters,
        vocab_size=len(prepared.tokenizer),
        phases=tuple(_planned(prepared, phase, read) for phase, read in zip(phases, planned, strict=True)),
        steps=sum(phase.plan.steps for phase in phases),
        examples=total.examples,
        examples_set_aside=set_aside(prepared, total.examples),
        windows=len(total.windows),
        tokens=total.tokens,
        trained_tokens=total.trained_tokens,
        validation_examples=len(held_out.documents.example_ids),
        validation_windows=sum(len(row) for row in validation_rows(prepared)),
        labels=describe_labels(prepared),
        memory=memory,
        free_bytes=free,
        disk_bytes=disk,
        free_disk_bytes=free_disk,
        notes=notes_on(prepared, phases),
    )


def _planned(prepared: Prepared, phase: PhaseRows, windows: set[int]) -> PlannedTribalPhase:
    read, plan = sum_up(prepared.train, windows), phase.plan
    return PlannedTribalPhase(
        number=plan.number,
        name=plan.name,
        learning_rate=plan.learning_rate,
        epochs=plan.epochs,
        examples=read.examples,
        windows=len(read.windows),
        rows=plan.rows,
        tokens=read.tokens,
        trained_tokens=read.trained_tokens,
        steps=plan.steps,
        validation_windows=sum(len(row) for row in phase.validation),
    )
