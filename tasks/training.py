"""Train LoRA: an adapter learned from the build's corpus, its card, its lineage, its page and its name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from prefect import task
from prefect.artifacts import create_markdown_artifact
from prefect.cache_policies import NO_CACHE

from models.lora import LIBRARIES, base_identity, train_lora
from models.training.tracking import open_tracker
from schemas.errors import UsageError
from schemas.settings import LoraSettings
from schemas.settings.loading import load_lora_preset
from schemas.summary import PartCounts, StageSummary
from schemas.tables import SPLITS
from storage.artifacts import artifact_folder, find_artifact, make_artifact, working_folder
from storage.crashes import bugs_kept_private
from storage.names import check_free, give_name
from storage.stages import Stage
from tasks.adapter_names import NAMES, STAGE
from tasks.corpora import open_corpus, verify_corpus
from tasks.progress import listener
from tasks.reports.markdown import plain
from tasks.running import Run, Step, plan_fingerprint
from tasks.trained import describe
from tasks.training_log import RunLog, logs_of, notes_on
from tasks.training_page import run_view, write_training_page


def lora_settings(run: Run) -> LoraSettings:
    """The contents of the preset that the settings name, with their changes."""
    name = run.settings.train.lora
    if name is None:
        raise AssertionError("no training was asked for")
    preset = load_lora_preset(name, run.settings.train.lora_changes)
    return LoraSettings(preset=preset, base=base_identity(preset, run.home.cache))


TRAIN_LORA = Step(
    stage=Stage(STAGE, version=3, kind="corpus", unit="examples", function=train_lora, libraries=LIBRARIES),
    settings=lora_settings,
    reads=dict.fromkeys(SPLITS, "mix"),
)


@task(name="train-lora", cache_policy=NO_CACHE, persist_result=False)
def train_adapter(
    run: Run, name: str | None = None, overwrite: bool = False, track: str | None = None
) -> StageSummary:
    """Train the adapter that the settings ask for; it stands under `artifacts/train-lora/`.

    `name` is what it is called under `artifacts/lora/` (None: preset and fingerprint); one that belongs to another
    run is refused before any work, unless `overwrite` moves it. `track` tells the steps to tensorboard or wandb too.
    """
    stage, begun = TRAIN_LORA.name, time.monotonic()
    mark, called = run.record.stages[stage], name or default_name(run)
    listener().started(stage)
    with bugs_kept_private():
        check_free(run.store, NAMES, called, stage, mark, overwrite)
        verify_corpus(open_corpus(run.home, run.record.stages["mix"]))
        with working_folder(run.store, stage, mark) as work:
            account, cached = make_artifact(
                run.store, stage, mark, lambda out: _train(run, out, work, called, track)
            )
        give_name(run.store, NAMES, called, stage, mark, overwrite)
        page = report_training(run, called)
    summary = summarise_training(run, account, cached, time.monotonic() - begun)
    listener().finished(summary)
    create_markdown_artifact(
        _markdown(run, called, summary, page), key="training-counts", description=f"Adapter {plain(called)}"
    )
    return summary


def default_name(run: Run) -> str:
    """What an adapter is called when nobody said: its preset and the beginning of its fingerprint."""
    preset = Path(run.settings.train.lora or "lora").stem
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in preset).strip("._-")
    return f"{kept[:60] or 'lora'}-{run.record.stages[TRAIN_LORA.name][:8]}"


def report_training(run: Run, name: str) -> Path:
    """Write the page of a run whose adapter stands; returns its path."""
    account = find_artifact(run.store, TRAIN_LORA.name, run.record.stages[TRAIN_LORA.name])
    assert account is not None
    mark = run.record.stages[TRAIN_LORA.name]
    return write_training_page(run.home, run_view(run.home, name, mark, account, adapter_folder(run)))


def summarise_training(run: Run, account: dict[str, Any], cached: bool, seconds: float) -> StageSummary:
    """The stage's line in the build's summary, from what the training said of itself."""
    return StageSummary(
        stage=TRAIN_LORA.name,
        fingerprint=run.record.stages[TRAIN_LORA.name],
        cached=cached,
        parts=PartCounts(computed=int(not cached), reused=int(cached)),
        unit="examples",
        rows_in=account["examples"] + sum(account["examples_set_aside"].values()),
        rows_out=account["examples"],
        set_aside={reason: count for reason, count in account["examples_set_aside"].items() if count},
        seconds=round(seconds, 3),
    )


def adapter_folder(run: Run) -> Path:
    """Where the run's adapter stands."""
    return Path(run.store.full(artifact_folder(TRAIN_LORA.name, run.record.stages[TRAIN_LORA.name])))


def logs_folder(run: Run) -> Path:
    """Where the run writes down what only this machine knows."""
    return logs_of(run.home, TRAIN_LORA.name, run.record.stages[TRAIN_LORA.name])


def corpus_shards(run: Run) -> dict[str, list[Path]]:
    """The corpus's files by split, for a trainer that opens them by itself."""
    corpus = run.dataset("mix")
    shards = {split: [Path(run.store.full(file.path)) for file in corpus.files(split)] for split in SPLITS}
    return {split: paths for split, paths in shards.items() if paths}


def _train(run: Run, out: Path, work: Path, name: str, track: str | None) -> dict[str, Any]:
    preset, wanted = lora_settings(run).preset, run.settings.train
    if plan_fingerprint(TRAIN_LORA, run) != run.record.stages[TRAIN_LORA.name]:
        raise UsageError(
            "the preset or its base was changed after this training was planned",
            where=str(wanted.lora),
            fix="Run the same command again: it plans with what is there now.",
        )
    more = None if track is None else open_tracker(track, logs_folder(run), name)
    watcher = RunLog(TRAIN_LORA.name, logs_folder(run), more)
    for note in notes_on(str(wanted.lora), wanted.lora_changes, preset):
        watcher.noted(note)
    result = train_lora(preset, corpus_shards(run), out, work=work, cache=run.home.cache, watcher=watcher)
    account = result.model_dump(mode="json")
    describe(run, preset, account, out, name)
    return account


def _markdown(run: Run, name: str, summary: StageSummary, page: Path) -> str:
    """Counts and places only, as in every artifact."""
    rows = {
        "adapter": name,
        "corpus": run.record.stages["mix"],
        "preset": run.settings.train.lora,
        "examples in": summary.rows_in,
        "examples used": summary.rows_out,
        **{f"set aside: {reason}": count for reason, count in summary.set_aside.items()},
        "seconds": summary.seconds,
        "folder": adapter_folder(run),
        "report": page,
    }
    cells = (f"| {key} | {plain(str(value))} |" for key, value in rows.items())
    return "\n".join(["| | |", "|---|---|", *cells])
