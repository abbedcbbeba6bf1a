"""What every training of a build's corpus shares: it stands under a fingerprint, is named, described and reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact

from schemas.errors import UsageError
from schemas.settings import LoraPreset, TribalPreset
from schemas.summary import PartCounts, StageSummary
from schemas.tables import SPLITS
from storage.artifacts import artifact_folder, find_artifact, make_artifact, working_folder
from storage.crashes import bugs_kept_private
from storage.names import check_free, give_name
from tasks.corpora import open_corpus, verify_corpus
from tasks.progress import listener
from tasks.reports.markdown import plain
from tasks.running import Run, Step, plan_fingerprint
from tasks.training_kinds import TrainingKind
from tasks.training_log import logs_of

Preset = LoraPreset | TribalPreset


@dataclass(frozen=True)
class Training:
    """A training in its place: what differs from one kind to the other.

    `load(name, changes)` is the preset; `train(run, out, work, name, track)` fills the empty folder `out`, keeps in
    `work` what a later try goes on from, and returns the account; `write_page(run, name, account)` the run's page.
    """

    kind: TrainingKind
    step: Step
    load: Callable[[str, Mapping[str, Any]], Preset]
    train: Callable[[Run, Path, Path, str, str | None], dict[str, Any]]
    write_page: Callable[[Run, str, dict[str, Any]], Path]


def perform_training(
    training: Training, run: Run, name: str | None, overwrite: bool, track: str | None
) -> StageSummary:
    """Make what the settings ask for stand under `artifacts/<stage>/`, named and reported.

    `name` is what it is called under `artifacts/<kind>/` (None: preset and fingerprint); one that belongs to another
    run is refused before any work, unless `overwrite` moves it. `track` tells the steps to tensorboard or wandb too.
    """
    kind, begun = training.kind, time.monotonic()
    mark, called = run.record.stages[kind.stage], name or default_name(kind, run)
    listener().started(kind.stage)
    with bugs_kept_private():
        check_free(run.store, kind.names, called, kind.stage, mark, overwrite)
        verify_corpus(open_corpus(run.home, run.record.stages["mix"]))
        with working_folder(run.store, kind.stage, mark) as work:
            account, cached = make_artifact(
                run.store, kind.stage, mark, lambda out: _train(training, run, out, work, called, track)
            )
        give_name(run.store, kind.names, called, kind.stage, mark, overwrite)
        page = training.write_page(run, called, account)
    summary = summarise_training(kind, run, account, cached, time.monotonic() - begun)
    listener().finished(summary)
    create_markdown_artifact(
        _markdown(kind, run, called, summary, page),
        key="training-counts",
        description=f"{kind.word.capitalize() if kind.word.islower() else kind.word} {plain(called)}",
    )
    return summary


def preset_named(kind: TrainingKind, run: Run) -> tuple[str, dict[str, Any]]:
    """The name of the preset that the settings ask for, and what shall be different from it."""
    wanted = run.settings.train
    name: str | None = getattr(wanted, kind.what)
    if name is None:
        raise AssertionError("no training was asked for")
    return name, getattr(wanted, f"{kind.what}_changes")


def default_name(kind: TrainingKind, run: Run) -> str:
    """What an artifact is called when nobody said: its preset and the beginning of its fingerprint."""
    preset = Path(preset_named(kind, run)[0]).stem
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in preset).strip("._-")
    return f"{kept[:60] or kind.names}-{run.record.stages[kind.stage][:8]}"


def summarise_training(
    kind: TrainingKind, run: Run, account: Mapping[str, Any], cached: bool, seconds: float
) -> StageSummary:
    """The stage's line in the build's summary, from what the training said of itself."""
    return StageSummary(
        stage=kind.stage,
        fingerprint=run.record.stages[kind.stage],
        cached=cached,
        parts=PartCounts(computed=int(not cached), reused=int(cached)),
        unit="examples",
        rows_in=account["examples"] + sum(account["examples_set_aside"].values()),
        rows_out=account["examples"],
        set_aside={reason: count for reason, count in account["examples_set_aside"].items() if count},
        seconds=round(seconds, 3),
    )


def trained_folder(kind: TrainingKind, run: Run) -> Path:
    """Where the run's artifact stands."""
    return Path(run.store.full(artifact_folder(kind.stage, run.record.stages[kind.stage])))


def trained_account(kind: TrainingKind, run: Run) -> dict[str, Any] | None:
    """What the run's training said of itself, if its artifact stands. Raises StoreError when it is damaged."""
    return find_artifact(run.store, kind.stage, run.record.stages.get(kind.stage, "none"))


def logs_folder(kind: TrainingKind, run: Run) -> Path:
    """Where the run writes down what only this machine knows."""
    return logs_of(run.home, kind.stage, run.record.stages[kind.stage])


def corpus_shards(run: Run) -> dict[str, list[Path]]:
    """The corpus's files by split, for a trainer that opens them by itself."""
    corpus = run.dataset("mix")
    shards = {split: [Path(run.store.full(file.path)) for file in corpus.files(split)] for split in SPLITS}
    return {split: paths for split, paths in shards.items() if paths}


def _train(
    training: Training, run: Run, out: Path, work: Path, name: str, track: str | None
) -> dict[str, Any]:
    if plan_fingerprint(training.step, run) != run.record.stages[training.kind.stage]:
        raise UsageError(
            "the preset or its base was changed after this training was planned",
            where=preset_named(training.kind, run)[0],
            fix="Run the same command again: it plans with what is there now.",
        )
    return training.train(run, out, work, name, track)


def _markdown(kind: TrainingKind, run: Run, name: str, summary: StageSummary, page: Path) -> str:
    """Counts and places only, as in every artifact."""
    rows = {
        kind.word: name,
        "corpus": run.record.stages["mix"],
        "preset": preset_named(kind, run)[0],
        "examples in": summary.rows_in,
        "examples used": summary.rows_out,
        **{f"set aside: {reason}": count for reason, count in summary.set_aside.items()},
        "seconds": summary.seconds,
        "folder": trained_folder(kind, run),
        "report": page,
    }
    cells = (f"| {key} | {plain(str(value))} |" for key, value in rows.items())
    return "\n".join(["| | |", "|---|---|", *cells])
