"""Planning a build: what goes in, what is wanted, and so the fingerprint that every stage will have."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from flows.finding import check_same_places, find_files, with_sources
from flows.pipeline import pipeline_for
from flows.stage_names import STAGE_NAMES
from models.toxicity import scorer_digest, scorer_libraries
from schemas.ids import hash_fields
from schemas.manifest import BuildRecord, SourceFile
from schemas.settings import BuildSettings
from schemas.settings.loading import (
    change_settings,
    load_lora_preset,
    load_tribal_preset,
    resolve_rules,
    seal,
)
from storage import catalog
from storage.catalog import new_build_id, read_build, write_build
from storage.home import Home
from storage.webhooks import find_webhook, keep_webhook
from tasks.publishing import keep_mixture
from tasks.running import Run, plan_fingerprint
from tasks.scoring import SCORE
from tasks.signals import check_rules


def check_settings(home: Home, settings: BuildSettings, until: str | None = None) -> str:
    """Refuse what cannot work before anything is read; returns the digest of the toxicity scorer.

    Only what the stages up to `until` need is asked for: parsing needs no weights. Raises SettingsError (a pattern,
    a preset, a webhook) or MissingModel (weights that only `vatra fetch` brings).
    """
    check_rules({name: resolve_rules(name, getattr(settings, name)) for name in ("blacklist", "slop")})
    if settings.train.lora:
        load_lora_preset(settings.train.lora, settings.train.lora_changes)
    if settings.train.tribal:
        load_tribal_preset(settings.train.tribal, settings.train.tribal_changes)
    if settings.notify.webhook:
        find_webhook(home, settings.notify.webhook)
    if SCORE not in (step for step, _ in pipeline_for(settings, until)):
        return "not asked"
    name = settings.toxicity.scorer
    weights = scorer_digest(name, home.cache)
    return hash_fields(
        weights, *(f"{library} {metadata.version(library)}" for library in scorer_libraries(name))
    )


def plan_build(
    home: Home,
    paths: Sequence[Path],
    settings: BuildSettings,
    workers: int | None = None,
    on_bytes: Callable[[int], None] = lambda amount: None,
    until: str | None = None,
    notes: Callable[[Sequence[SourceFile]], Sequence[str]] = lambda files: (),
) -> Run:
    """A new build over the exports in `paths` and the sources of the settings. Writes the plan.

    Every file is read once, for its digest; of a declared source as much more as it takes to see that it is declared
    rightly.

    The plan ends with the stage `until` (None: with the last one that the settings ask for). `notes` are asked what
    the report shall say of the files that were found.
    """
    settings = _sealed(home, settings)
    scorer = check_settings(home, settings, until)
    found = find_files(home, paths, settings.sources, on_bytes)
    skipped = tuple((item.label, item.reason) for item in found.skipped)
    record = _record(settings, found.files, skipped, None).model_copy(
        update={"notes": tuple(notes(found.files))}
    )
    return _plan(Run(home, record, settings, scorer, workers or default_workers()), until)


def replan_build(
    home: Home,
    parent: BuildRecord,
    settings: BuildSettings,
    workers: int | None = None,
    until: str | None = None,
) -> Run:
    """A new build over the inputs of an earlier one, with other settings. Writes the plan."""
    settings = _sealed(home, settings)
    check_same_places(parent, settings)
    scorer = check_settings(home, settings, until)
    record = _record(settings, parent.inputs, parent.skipped, parent.build)
    return _plan(Run(home, record, settings, scorer, workers or default_workers()), until)


def change_build(home: Home, build: str, changes: Mapping[str, Any], until: str | None, stage: str) -> Run:
    """A new build that differs from `build` in some settings, planned up to `until` (None: to its end).

    Raises UsageError when there is no such build, or when the changed settings do not ask for `stage` at all.
    """
    parent, before = settings_of(home, build)
    settings = change_settings(before, changes)
    pipeline_for(settings, stage)
    return replan_build(home, parent, settings, until=until)


def open_build(home: Home, build: str, workers: int | None = None) -> Run:
    """An earlier build, as it was planned. Raises UsageError when there is none of this name."""
    record, settings = settings_of(home, build)
    planned = [name for name in STAGE_NAMES if name in record.stages]
    scorer = check_settings(home, settings, planned[-1])
    return Run(home, record, settings, scorer, workers or default_workers())


def settings_of(home: Home, build: str) -> tuple[BuildRecord, BuildSettings]:
    """The plan and settings of an earlier build, without asking whether it could run today."""
    record = read_build(home.store, build)
    return record, catalog.settings_of(record)


def default_workers() -> int:
    """One per core, at most eight: beyond that memory is the limit."""
    return max(
        1, min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    )


def _sealed(home: Home, settings: BuildSettings) -> BuildSettings:
    """The settings as a build's record may hold them: contents of files in, a webhook's address out."""
    webhook = settings.notify.webhook
    notify = settings.notify.model_copy(update={"webhook": webhook and keep_webhook(home, webhook)})
    sealed = with_sources(seal(settings))
    mix = keep_mixture(home.store, sealed.mix)
    return sealed.model_copy(update={"notify": notify, "mix": mix})


def _record(
    settings: BuildSettings,
    files: tuple[SourceFile, ...],
    skipped: tuple[tuple[str, str], ...],
    parent: str | None,
) -> BuildRecord:
    now = datetime.now(UTC)
    return BuildRecord(
        build=new_build_id(now),
        created=now.isoformat(timespec="seconds"),
        parent=parent,
        settings=settings.model_dump(mode="json"),
        inputs=files,
        skipped=skipped,
        stages={},
    )


def _plan(run: Run, until: str | None) -> Run:
    """Each stage's fingerprint follows from those before it."""
    for step, _ in pipeline_for(run.settings, until):
        stages = {**run.record.stages, step.name: plan_fingerprint(step, run)}
        run = replace(run, record=run.record.model_copy(update={"stages": stages}))
    write_build(run.store, run.record)
    return run
