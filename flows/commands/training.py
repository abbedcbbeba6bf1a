"""`vatra train lora` and `vatra train tribal`: an adapter or a NOVA from a corpus; --dry-run: what that would take."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from rich.console import Console

from flows.commands.session import at_work, flow_runs, print_json, server_for
from schemas.errors import MissingModel, SettingsError, UsageError
from schemas.settings.loading import apply_overrides, load_lora_preset, load_tribal_preset
from storage.home import Home, open_home
from storage.names import check_name
from tasks.training_kinds import KINDS, NOVA, TrainingKind

if TYPE_CHECKING:
    from tasks.running import Run


def train(given: argparse.Namespace) -> int:
    """Train, or say what it would take."""
    kind = next(kind for kind in KINDS if kind.what == given.what)
    preset, changes = given.preset or kind.default, preset_changes(given)
    (load_tribal_preset if kind is NOVA else load_lora_preset)(preset, changes)
    if given.name is not None:
        check_name(given.name)
    if given.track is not None:
        from models.training.tracking import check_tracker

        check_tracker(given.track)
    home = open_home(given.home)
    asked = (*corpus_of(home, given), preset, changes)
    if given.dry_run:
        return _tell_plan(given, kind, home, *asked)
    return _train(given, kind, home, *asked)


def _train(
    given: argparse.Namespace,
    kind: TrainingKind,
    home: Home,
    build: str | None,
    corpus: str,
    preset: str,
    changes: dict[str, Any],
) -> int:
    with at_work(given, home) as listener, server_for(home) as server:
        from flows.trainings import flow_here, plan_training
        from storage.names import check_free
        from tasks.training import default_name, trained_folder

        listener.waiting("planning")
        run = plan_training(kind, home, corpus, preset, changes, build)
        name = given.name or default_name(kind, run)
        mark = run.record.stages[kind.stage]
        check_free(home.store, kind.names, name, kind.stage, mark, given.overwrite)
        with flow_runs(home, server, listener):
            summary = flow_here(kind)(
                corpus, preset, changes, name, given.overwrite, str(home.path), given.track, build
            )
    from flows.closing import print_trained

    page = kind.page_of(home, name)
    told: dict[str, Any] = {
        "model" if kind is NOVA else "adapter": name,
        "fingerprint": mark,
        "corpus": corpus,
        "preset": preset,
        "folder": str(trained_folder(kind, run)),
        "named": home.store.full(f"artifacts/{kind.names}/{name}"),
        "report": str(page),
        **(_figures(run) if kind is NOVA else {}),
        **summary.model_dump(include={"cached", "rows_in", "rows_out", "set_aside", "seconds"}),
    }
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    print_trained(console, kind, name, told["named"], str(page))
    return print_json(given, told)


def _figures(run: Run) -> dict[str, Any]:
    """What a NOVA's training came to."""
    from tasks.training import trained_account

    account = trained_account(NOVA, run) or {}
    told = ("members", "parameters", "vocab_size", "steps", "tokens", "labels", "before", "after")
    return {name: account[name] for name in told}


def preset_changes(given: argparse.Namespace) -> dict[str, Any]:
    """`--epochs`, `--batch-size` and `--set` as nested values that differ from the preset. Raises SettingsError."""
    items = list(given.set)
    for item in items:
        section, dot, rest = item.partition(".")
        # As the settings of a build, or the guide's command line, have it.
        if dot and section in ("lora", "tribal", "train"):
            own = rest
            for kind in KINDS:
                own = own.removeprefix(f"{kind.what}.").removeprefix(f"{kind.what}_changes.")
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


def _tell_plan(
    given: argparse.Namespace,
    kind: TrainingKind,
    home: Home,
    build: str | None,
    corpus: str,
    preset: str,
    changes: dict[str, Any],
) -> int:
    """What a run would read and take. Nothing is written but temporary files in the home's cache."""
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    tell = _tribal_plan if kind is NOVA else _lora_plan
    with console.status("planning"):  # on a terminal: libraries and the tokenizer take seconds
        plan = tell(console, home, corpus, preset, changes)
    if given.name is not None:
        _check_free(given, kind, home, build, corpus, preset, changes)
    console.print("Nothing was trained. To do it: the same command without --dry-run.")
    return print_json(given, {"corpus": corpus, "preset": preset, **plan})


def _lora_plan(
    console: Console, home: Home, corpus: str, name: str, changes: dict[str, Any]
) -> dict[str, Any]:
    from tasks.lora_log import notes_on
    from tasks.planning_training import preflight_lines, preflight_of, rough_lines

    preset = load_lora_preset(name, changes)
    for note in notes_on(name, changes, preset):
        console.print(note)
    try:
        plan = preflight_of(home, corpus, preset)
    except MissingModel:
        for line in rough_lines(home, corpus, preset):
            console.print(line)
        raise
    for line in preflight_lines(plan):
        console.print(line)
    return plan.model_dump(mode="json")


def _tribal_plan(
    console: Console, home: Home, corpus: str, name: str, changes: dict[str, Any]
) -> dict[str, Any]:
    from tasks.planning_nova import plan_lines, plan_of
    from tasks.training_log import notes_on_steps

    for note in notes_on_steps(NOVA, name, changes):
        console.print(note)
    plan = plan_of(home, corpus, load_tribal_preset(name, changes))
    for line in plan_lines(plan):
        console.print(line)
    return plan.model_dump(mode="json")


def _check_free(
    given: argparse.Namespace,
    kind: TrainingKind,
    home: Home,
    build: str | None,
    corpus: str,
    preset: str,
    changes: dict[str, Any],
) -> None:
    """Refuse a name that the training itself would refuse. Raises UsageError."""
    from flows.trainings import plan_training
    from storage.names import check_free

    mark = plan_training(kind, home, corpus, preset, changes, build).record.stages[kind.stage]
    check_free(home.store, kind.names, given.name, kind.stage, mark, given.overwrite)
