"""`vatra report`, `vatra export`, `vatra presets`, `vatra fetch`: what stands, told or handed on."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.console import Console

from flows.commands.report_serving import serve_reports
from flows.commands.session import answer, at_work, print_json
from flows.commands.trainer_exports import TRAINERS, export_trainer
from schemas.errors import StoreError, UsageError
from schemas.settings import load_build_settings
from schemas.settings.loading import load_lora_preset, preset_values
from schemas.settings.presets import preset_names
from storage.home import open_home


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
    rows = export_corpus(corpus, given.format, Path(given.out), splits, given.overwrite)
    console = Console(stderr=given.json, highlight=False, soft_wrap=True, markup=False)
    kind = {"parquet": "examples", "messages": "conversations"}.get(given.format, "pairs")
    console.print(f"{rows:,} {kind} of build {record.build} ({', '.join(splits)}) in {given.out}")
    return print_json(given, {"build": record.build, "rows": rows, "out": str(given.out)})


def presets(given: argparse.Namespace) -> int:
    """Build presets are settings files; model presets say what is trained, and with how much memory."""
    from tasks.planning_training import preset_need

    build: dict[str, str] = {}
    for name in preset_names("build"):
        load_build_settings(name)
        build[name] = str(preset_values("build", name).get("description", ""))
    train = {name: load_lora_preset(name) for name in preset_names("train")}
    needs = {name: preset_need(preset) for name, preset in train.items()}
    console = Console(stderr=given.json, highlight=False, soft_wrap=True)
    console.print("[bold]build presets[/]   vatra build PATH --preset NAME")
    for name, description in build.items():
        console.print(f"  {name:<13} {description}")
    console.print(
        "[bold]model presets[/]   vatra train lora --preset NAME, or --set train.lora=NAME in a build"
    )
    for name, preset in train.items():
        console.print(f"  {name:<13} {preset.description}")
        console.print(f"  {'':<13} [dim]memory: {needs[name]}[/]")
    told = {name: preset.description for name, preset in train.items()}
    return print_json(given, {"build": build, "train": told, "memory": needs})


def fetch(given: argparse.Namespace) -> int:
    """Download a model into the home's cache."""
    home = open_home(given.home)
    from models.toxicity import fetch_detoxify

    console = Console(stderr=given.json, highlight=False)
    folder = fetch_detoxify(given.variant, home.cache, console.print)
    console.print(f"Ready: --set toxicity.scorer=detoxify:{given.variant}")
    return print_json(given, {"fetched": f"detoxify:{given.variant}", "folder": str(folder)})
