"""The flow `train-lora`: an adapter from exactly one corpus, named by its fingerprint.

`hand_over` is how a build ends when the home's worker is there: training becomes a run of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

from prefect import flow
from prefect.artifacts import create_markdown_artifact
from prefect.client.schemas.objects import FlowRun, State
from prefect.deployments import run_deployment

from flows.outcomes import outcome
from flows.services import worker_is_up
from schemas.errors import UsageError
from schemas.manifest import BuildRecord
from schemas.settings import BuildSettings, TrainSettings
from schemas.settings.presets import ModelPresetName
from schemas.summary import StageSummary
from storage.artifacts import find_artifact
from storage.catalog import new_build_id
from storage.datasets import find_dataset
from storage.home import Home, open_home
from tasks.running import Run, plan_fingerprint
from tasks.training import TRAIN_LORA, adapter_folder, train_adapter

DEPLOYMENT = "train-lora/adhoc"


@flow(name="train-lora", persist_result=False)
def train_lora(corpus: str, preset: ModelPresetName = ModelPresetName("demo")) -> State[Any]:  # noqa: B008 - a string
    """Train a LoRA adapter from a corpus.

    Args:
        corpus: The fingerprint of the corpus, as a build prints it: the name of its folder under datasets/mix.
        preset: What is trained, and how.
    """
    return outcome(lambda: _train(corpus, preset))


def plan_training(home: Home, corpus: str, preset: str) -> Run:
    """A run of the training alone, over a corpus that stands. Raises UsageError when it does not."""
    if "/" in corpus or find_dataset(home.store, "mix", corpus) is None:
        raise UsageError(
            f"there is no corpus {corpus[:80]!r} in this home",
            where=str(home.path / "datasets" / "mix"),
            fix="It may have been pruned: run the build again.",
        )
    settings = BuildSettings(train=TrainSettings(lora=preset))
    now = datetime.now(UTC)
    record = BuildRecord(
        build=new_build_id(now),
        created=now.isoformat(timespec="seconds"),
        parent=None,
        settings=settings.model_dump(mode="json"),
        inputs=(),
        skipped=(),
        stages={"mix": corpus},
    )
    run = Run(home, record, settings)
    stages = {**record.stages, TRAIN_LORA.name: plan_fingerprint(TRAIN_LORA, run)}
    return Run(home, record.model_copy(update={"stages": stages}), settings)


def hand_over(run: Run) -> str | None:
    """Start `train-lora/adhoc` on the corpus of a build; returns the flow run's name.

    None when there is no worker of this home to train, or when the adapter stands already: then it is the build's
    own last step.
    """
    preset = run.settings.train.lora
    stands = find_artifact(run.store, TRAIN_LORA.name, run.record.stages[TRAIN_LORA.name])
    if preset is None or preset.endswith((".yaml", ".yml")) or stands or not worker_is_up(run.home):
        return None
    started = cast(
        FlowRun,
        run_deployment(
            DEPLOYMENT,
            parameters={"corpus": run.record.stages["mix"], "preset": preset},
            tags=[f"build:{run.record.build}"],
            timeout=0,
            as_subflow=False,
        ),
    )
    return started.name


def _train(corpus: str, preset: str) -> str:
    run = plan_training(open_home(), corpus, preset)
    summary = train_adapter(run)
    folder = adapter_folder(run)
    create_markdown_artifact(
        _markdown(corpus, preset, summary, str(folder)), key="training-counts", description=f"Corpus {corpus}"
    )
    done = "stood already" if summary.cached else f"trained from {summary.rows_out:,} examples"
    return f"The adapter {done}: {folder}"


def _markdown(corpus: str, preset: str, summary: StageSummary, folder: str) -> str:
    """Counts only, as in every artifact."""
    rows = {
        "corpus": corpus,
        "preset": preset,
        "examples in": summary.rows_in,
        "examples used": summary.rows_out,
        **{f"set aside: {reason}": count for reason, count in summary.set_aside.items()},
        "seconds": summary.seconds,
        "adapter": folder,
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows.items())])
