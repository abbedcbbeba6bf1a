"""The result of a finished NOVA run, from what was prepared and what the phases did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from models.tribal.curriculum import Fitted, PhaseRecord, Validation
from models.tribal.job import Job, build_nova, describe_labels, notes_on, set_aside
from models.tribal.measuring import dtype_of, measure_validation
from models.tribal.plan import LabelledTurns
from models.tribal.reached import sum_up, windows_read
from models.tribal.result import Measured, TribalPhaseResult, TribalResult
from models.tribal.schedule import PhaseRows, validation_rows


def result_of(job: Job, fitted: Fitted, libraries: Mapping[str, str]) -> TribalResult:
    """What a run says of itself."""
    prepared, preset = job.prepared, job.prepared.preset
    pairs = list(zip(fitted.rows, fitted.phases, strict=True))
    read = [windows_read(rows, record.batch, preset.seed, len(record.steps)) for rows, record in pairs]
    total = sum_up(prepared.train, set().union(*read))
    steps = [step for record in fitted.phases for step in record.steps]
    made = [pair for pair in pairs if pair[1].steps]
    return TribalResult(
        preset=preset.description,
        members=prepared.members,
        mixing=preset.mixing,
        dtype=dtype_of(preset.dtype),
        parameters=job.plan.parameters,
        vocab_size=len(prepared.tokenizer),
        context=preset.context,
        out_of_memory=fitted.out_of_memory,
        phases=tuple(
            _phase(job, rows, record, windows) for (rows, record), windows in zip(pairs, read, strict=True)
        ),
        steps=len(steps),
        examples=total.examples,
        examples_set_aside=set_aside(prepared, total.examples),
        windows=len(total.windows),
        tokens=total.tokens,
        trained_tokens=total.trained_tokens,
        labels=LabelledTurns(**describe_labels(prepared).model_dump(exclude={"strangers"})),
        validation_examples=len(prepared.validation.documents.example_ids),
        validation_windows=sum(len(row) for row in validation_rows(prepared)),
        before=_on_everything(job, *made[0], 0, lambda: build_nova(job.config, preset.seed)),
        after=_on_everything(job, *made[-1], made[-1][1].kept_step, lambda: fitted.model),
        first_loss=steps[0]["loss"],
        last_loss=steps[-1]["loss"],
        first_lm_loss=steps[0].get("lm_loss", steps[0]["loss"]),
        last_lm_loss=steps[-1].get("lm_loss", steps[-1]["loss"]),
        notes=notes_on(prepared, fitted.rows),
        libraries=dict(libraries),
    )


def _on_everything(job: Job, phase: PhaseRows, record: PhaseRecord, step: int, model: Any) -> Measured | None:
    """The validation split whole: as a phase measured it, or, where it measured a part, measured now."""
    whole = validation_rows(job.prepared)
    if phase.validation == whole:
        return _measured(record, step)
    found = measure_validation(model(), job.prepared, whole)
    return None if found is None else Measured(step=step, **vars(found))


def _phase(job: Job, rows: PhaseRows, record: PhaseRecord, windows: set[int]) -> TribalPhaseResult:
    read, plan, steps = sum_up(job.prepared.train, windows), record.plan, record.steps
    first, last = (steps[0], steps[-1]) if steps else ({}, {})
    return TribalPhaseResult(
        number=plan.number,
        name=plan.name,
        learning_rate=plan.learning_rate,
        epochs=plan.epochs,
        steps_planned=plan.steps,
        steps=len(steps),
        kept_step=record.kept_step,
        batch_size=record.batch.size,
        gradient_accumulation=record.batch.accumulation,
        rows=plan.rows,
        examples=read.examples,
        windows=len(read.windows),
        tokens=read.tokens,
        trained_tokens=read.trained_tokens,
        first_loss=first.get("loss"),
        last_loss=last.get("loss"),
        first_lm_loss=first.get("lm_loss"),
        last_lm_loss=last.get("lm_loss"),
        validation_windows=sum(len(row) for row in rows.validation),
        before=_measured(record, 0),
        after=_measured(record, record.kept_step),
    )


def _measured(record: PhaseRecord, step: int) -> Measured | None:
    found: list[Validation] = [one for one in record.validations if one.step == step]
    return Measured(**vars(found[0])) if found else None
