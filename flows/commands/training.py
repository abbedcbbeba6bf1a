"""`vatra train lora`: an adapter from a corpus; with --dry-run, what that would take."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console

from flows.commands.session import at_work, flow_runs, print_json, server_for
from schemas.errors import MissingModel, SettingsError, UsageError
from schemas.settings.loading import apply_overrides, load_lora_preset
from storage.home import Home, open_home
from storage.names import check_name


def train(given: argparse.Namespace) -> int:
    """Train, or say what it would take."""
    changes = preset_changes(given)
    load_lora_preset(given.preset, changes)
    if given.name is not None:
        check_name(given.name)
    if given.track is not None:
        from models.training.tracking import check_tracker

        check_tracker(given.track)
    home = open_home(given.home)
    build, corpus = corpus_of(home, given)
    if given.dry_run:
        return _tell_plan(given, home, corpus, changes, build)
    with at_work(given, home) as listener, server_for(home) as server:
        from flows.train_lora import plan_training, train_here
        from storage.names import check_free
        from tasks.adapter_names import NAMES
        from tasks.training import TRAIN_LORA, adapter_folder, default_name

        listener.waiting("planning")
        run = plan_training(home, corpus, given.preset, changes, build)
        name = given.name or default_name(run)
        mark = run.record.stages[TRAIN_LORA.name]
        check_free(home.store, NAMES, name, TRAIN_LORA.name, mark, given.overwrite)
        with flow_runs(home, server, listener):
            summary = train_here(
                corpus, given.preset, changes, name, given.overwrite, str(home.path), given.track, build
            )
    from flows.closing import print_adapter
    from tasks.adapter_names import page_of

    page = page_of(home, name)
    told: dict[str, Any] = {
        "adapter": name,
        "fingerprint": mark,
        "corpus": corpus,
        "preset": given.preset,
        "folder": str(adapter_folder(run)),
        "named": home.store.full(f"artifacts/{NAMES}/{name}"),
        "report": str(page),
        **summary.model_dump(include={"cached", "rows_in", "rows_out", "set_aside", "seconds"}),
    }
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    print_adapter(console, name, told["named"], str(page))
    return print_json(given, told)


def preset_changes(given: argparse.Namespace) -> dict[str, Any]:
    """`--epochs`, `--batch-size` and `--set` as nested values that differ from the preset. Raises SettingsError."""
    items = list(given.set)
    for item in items:
        section, dot, rest = item.partition(".")
        if dot and section in (
            "lora",
            "train",
        ):  # as the settings of a build, or the guide's command line, have it
            own = rest.removeprefix("lora.").removeprefix("lora_changes.")
            raise SettingsError(
                f"{item!r}: the settings are those of the preset alone",
                where="--set",
                fix=f"Write --set {own}.",
            )
    if given.epochs is not None:
        items.append(f"epochs={given.epochs}")
    if given.batch_size is not None:
        items.append(f"batch_size={given.batch_size}")
    return apply_overrides({}, items)


def corpus_of(home: Home, given: argparse.Namespace) -> tuple[str | None, str]:
    """The build that was named, if one was, and the fingerprint of the corpus. Raises UsageError when there is none."""
    if given.corpus is not None:
        if given.build != "latest":
            raise UsageError(
                "--corpus names the corpus already", where="--build", fix="Leave one of them out."
            )
        return None, str(given.corpus)
    from storage.catalog import read_build

    record = read_build(home.store, given.build, "mix")
    if "mix" not in record.stages:
        raise UsageError(
            f"the build {record.build} has no corpus", fix=f"Run `vatra stage mix --build {record.build}`."
        )
    return record.build, record.stages["mix"]


def _check_free(
    given: argparse.Namespace, home: Home, corpus: str, changes: dict[str, Any], build: str | None
) -> None:
    """Refuse a name that the training itself would refuse. Raises UsageError."""
    from flows.train_lora import plan_training
    from storage.names import check_free
    from tasks.adapter_names import NAMES
    from tasks.training import TRAIN_LORA

    mark = plan_training(home, corpus, given.preset, changes, build).record.stages[TRAIN_LORA.name]
    check_free(home.store, NAMES, given.name, TRAIN_LORA.name, mark, given.overwrite)


def _tell_plan(
    given: argparse.Namespace, home: Home, corpus: str, changes: dict[str, Any], build: str | None
) -> int:
    """What a run would read and take. Nothing is written but temporary files in the home's cache."""
    from tasks.planning_training import preflight_lines, preflight_of, rough_lines
    from tasks.training_log import notes_on

    preset = load_lora_preset(given.preset, changes)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    for note in notes_on(given.preset, changes, preset):
        console.print(note)
    try:
        plan = preflight_of(home, corpus, preset)
    except MissingModel:
        for line in rough_lines(home, corpus, preset):
            console.print(line)
        raise
    for line in preflight_lines(plan):
        console.print(line)
    if given.name is not None:
        _check_free(given, home, corpus, changes, build)
    console.print("Nothing was trained. To do it: the same command without --dry-run.")
    return print_json(given, {"corpus": corpus, "preset": given.preset, **plan.model_dump(mode="json")})
