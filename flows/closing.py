"""The last lines of a command: the filtering table, and where everything lies."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from schemas.summary import BuildSummary
from schemas.visible import visible
from storage.datasets import dataset_folder
from storage.home import Home
from tasks.accounts import BuildReport
from tasks.reports import render_terminal
from tasks.training_kinds import LORA, NOVA, TrainingKind


def _left_aside(skipped: Sequence[tuple[str, str]]) -> str:
    """How many files and why, the commonest reasons first; the page names each of them."""
    reasons = Counter(reason for _, reason in skipped).most_common()
    told = ", ".join(f"{count} {visible(reason)}" for reason, count in reasons[:4])
    return f"{len(skipped)} files: {told}" + (f" and {len(reasons) - 4} other reasons" if reasons[4:] else "")


def _some(names: Sequence[str]) -> str:
    """Names of what was trained, as many as one reads; the page links them all."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more (on the page)" if names[10:] else "")


def print_trained(console: Console, kind: TrainingKind, name: str, folder: str, page: str | None) -> None:
    """What was trained and stands: its name, where it is, the page of its training, and how it is tried."""
    console.print(f"{_TITLES[kind.names]:<8} {name}")
    console.print(f"         {visible(folder)}")
    if page is not None:
        console.print(f"Training {visible(page)}")
    console.print(f"Try it   {_TRIED[kind.names].format(name=name)}")


_TITLES = {"lora": "Adapter", "nova": "NOVA"}
_TRIED = {"lora": "vatra sample --adapter {name}", "nova": "vatra nova generate --model {name} PROMPT"}


def print_closing(console: Console, told: BuildReport) -> None:
    """The table, then paths that can be opened."""
    summary = told.summary
    console.print()
    console.print(render_terminal(told.statistics, told.context))
    corpus = summary.corpus
    for warning in summary.warnings:
        console.print(Text(f"Warning  {visible(warning, 600)}", style="bold yellow"))
    console.print(f"Build    {summary.build}")
    if corpus.train:
        folder = next((stage for stage in summary.stages if stage.stage == "mix"), None)
        counts = f"{corpus.train:,} train, {corpus.validation:,} validation, {corpus.test:,} test examples"
        console.print(f"Corpus   {counts}")
        if folder is not None and summary.home is not None:
            root = Home(Path(summary.home)).store.url.rstrip("/")
            console.print(f"         {visible(root)}/{dataset_folder('mix', folder.fingerprint)}")
    if told.context.skipped:
        console.print(f"Not read {_left_aside(told.context.skipped)}")
    print_trainings(console, summary)
    for note in told.context.notes:
        console.print(f"         {visible(note, 600)}")
    console.print(f"Report   {summary.report}")


def print_trainings(console: Console, summary: BuildSummary) -> None:
    """What this build trained, and what else was trained from its corpus."""
    found = ((LORA, summary.adapters), (NOVA, summary.models))
    for kind, trained in found:
        own = [one for one in trained if one.own]
        for one in own:
            print_trained(console, kind, one.name, one.folder, one.page)
        for artifact in () if own else summary.artifacts:  # its name was moved to another run
            if Path(artifact).parent.name == kind.stage:
                console.print(f"{_TITLES[kind.names]:<8} {artifact}")
    if others := [one.name for _, trained in found for one in trained if not one.own]:
        console.print(f"Trained  from this corpus by other runs: {_some(others)}")
