"""`vatra report`, `vatra export`, `vatra presets`: what stands, told or handed on."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from flows.commands.report_serving import serve_reports
from flows.commands.session import answer, at_work, print_json
from flows.commands.trainer_exports import TRAINERS, export_trainer
from schemas.errors import StoreError, UsageError
from schemas.settings import TribalPreset, load_build_settings
from schemas.settings.loading import load_lora_preset, load_tribal_preset, preset_values
from schemas.settings.presets import preset_names
from storage.home import open_home

#: What one row of an export is.
_KINDS = {"jsonl": "pairs", "json": "pairs", "trl": "replies"}


def report(given: argparse.Namespace) -> int:
    """A build's table on the terminal, and its page written again; with --serve, all reports as pages."""
    if given.serve:
        return serve_reports(given)
    if given.port is not None:
        raise UsageError("--port goes with --serve", fix="Run `vatra report --serve --port N`.")
    home = open_home(given.home)
    with at_work(given, home) as listener:
        listener.waiting("reading the build")
        from flows.history import report_again

        told = report_again(home, given.build)
    return answer(given, told)


def export(given: argparse.Namespace) -> int:
    """The corpus in the form of another trainer."""
    home = open_home(given.home)
    from schemas.tables import SPLITS
    from storage.catalog import read_build
    from storage.datasets import find_dataset
    from tasks.exporting import export_corpus

    record = read_build(home.store, given.build, "mix")
    corpus = find_dataset(home.store, "mix", record.stages.get("mix", "none"))
    if corpus is None:
        raise UsageError(
            f"the build {record.build} has no corpus", fix=f"Run `vatra stage mix --build {record.build}`."
        )
    if not corpus.validation().success:
        raise StoreError(
            "the corpus did not pass its expectations", where=record.build, fix="Build it again."
        )
    if given.format in TRAINERS:
        return export_trainer(given, corpus, record.build)
    if given.preset is not None:
        raise UsageError("--preset goes with a trainer's format", where="--preset")
    splits = [split for split in SPLITS if split in (given.split or SPLITS)]
    done = export_corpus(
        corpus, given.format, Path(given.out), splits, given.overwrite, phase=given.phase, record=record
    )
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    counted = f"{done.rows:,} {_KINDS.get(given.format, 'conversations')}"
    if done.examples is not None:
        repeated = f" in {done.rows:,} rows" if done.rows > done.examples else ""
        counted = f"{done.examples:,} examples{repeated}"
    console.print(f"{counted} of build {record.build} ({', '.join(splits)}) in {given.out}")
    if done.phases:
        told = ", ".join(f"phase-{number} {rows:,}" for number, rows in done.phases.items())
        console.print(f"Beside data/, which has each example once, what each phase reads, in rows: {told}")
    if done.left_out:
        told = ", ".join(f"{reason} {count:,}" for reason, count in done.left_out.items())
        console.print(f"Left out, since {given.format} cannot say it: {told}")
    answered = {"build": record.build, "rows": done.rows, "left_out": done.left_out, "out": str(given.out)}
    if done.examples is not None:
        answered |= {"examples": done.examples, "phase_rows": done.phases}
    return print_json(given, answered)


def presets(given: argparse.Namespace) -> int:
    """Build presets are settings files; mixtures say what a corpus is made of, model presets what is trained."""
    from tasks.planning_nova import nova_need
    from tasks.planning_training import preset_need

    found: dict[str, dict[str, str]] = {"build": {}, "mixture": {}, "train": {}, "tribal": {}}
    for name in preset_names("build"):
        load_build_settings(name)
        found["build"][name] = str(preset_values("build", name).get("description", ""))
    for name in preset_names("mixture"):
        found["mixture"][name] = str(preset_values("mixture", name).get("description", ""))
    train = {name: load_lora_preset(name) for name in preset_names("train")}
    tribal = {name: load_tribal_preset(name) for name in preset_names("tribal")}
    found["train"] = {name: preset.description for name, preset in train.items()}
    found["tribal"] = {name: preset.description for name, preset in tribal.items()}
    needs = {name: preset_need(preset) for name, preset in train.items()}
    sizes = {name: nova_need(preset) for name, preset in tribal.items()}
    console = Console(stderr=given.json, highlight=False, soft_wrap=True)
    for kind, items in found.items():
        console.print(f"[bold]{_TITLES[kind]}[/]")
        for name, description in items.items():
            console.print(f"  {name:<14} {description}")
            if kind == "train":
                console.print(f"  {'':<14} [dim]memory: {needs[name]}[/]")
            if kind == "tribal":
                console.print(f"  {'':<14} [dim]{sizes[name]}[/]")
    return print_json(given, {**found, "memory": {**needs, **sizes}, "parameters": _weights(tribal)})


_TITLES = {
    "build": "build presets   vatra build PATH --preset NAME",
    "mixture": "mixtures        vatra build PATH --preset NAME, or --set mix.preset=NAME",
    "train": "model presets   vatra train lora --preset NAME, or --set train.lora=NAME in a build",
    "tribal": "NOVA presets    vatra train tribal --preset NAME, or --set train.tribal=NAME in a build",
}


def _weights(tribal: dict[str, TribalPreset]) -> dict[str, int | None]:
    from models.tribal.sizes import parameters_of

    return {name: parameters_of(preset) for name, preset in tribal.items()}
