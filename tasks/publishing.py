"""Mix: which examples, in which phase, split and order; publishes the corpus as Parquet shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.tokens import LIBRARIES, check_tokenizer, open_counter, tokenizer_file
from schemas.settings import MixSettings
from schemas.settings.mixing import ESTIMATE, NO_TOKENIZER
from schemas.summary import StageSummary
from storage.datasets import Dataset
from storage.keeping import keep_input
from storage.stages import Stage, Unit
from storage.store import Store
from tasks.mixing import MixInputs, publish_corpus
from tasks.mixing.candidates import Counter
from tasks.mixing.frozen import read_frozen
from tasks.running import Run, Step, perform


def build_counter(settings: MixSettings, store: Store) -> Counter | None:
    """The chosen tokenizer, from where the store keeps it; None when none is chosen."""
    if settings.tokenizer in (NO_TOKENIZER, ESTIMATE):
        return None
    return open_counter(store.read(settings.tokenizer))


def mix_settings(run: Run) -> MixSettings:
    """The contents of the mixture: what its preset is called changes nothing."""
    return run.settings.mix.model_copy(update={"preset": None})


MIX = Step(
    stage=Stage(
        "mix",
        version=3,
        kind="corpus",
        unit="examples",
        function=publish_corpus,
        libraries=LIBRARIES,
        resource=build_counter,
    ),
    settings=mix_settings,
    reads={"examples": "assemble", "clusters": "dedup", "contaminated": "dedup", "labels": "label"},
    rows_in=lambda run: run.dataset("dedup").manifest.summary["keepers"],
    context=lambda run: run.store,
)


@dataclass(frozen=True)
class _Inputs:
    """The stage's datasets, with what the settings keep in the store."""

    datasets: Mapping[str, Dataset]
    frozen: str | None

    def open(self, store: Store) -> MixInputs:
        """The function's first argument."""
        frozen = None if self.frozen is None else read_frozen(store.read(self.frozen))
        readable: dict[str, Any] = dict(self.datasets)
        return MixInputs(readable, frozen, store.scratch)


@task(name="mix", cache_policy=NO_CACHE, persist_result=False)
def mix_corpus(run: Run) -> StageSummary:
    """Choose examples by the mixture's contract, split them by cluster, write the corpus in its order."""
    datasets = {table: run.dataset(stage) for table, stage in MIX.reads.items()}
    unit = Unit(tuple(sorted(datasets)), _Inputs(datasets, run.settings.mix.frozen))
    return perform(MIX, run, [unit])


def keep_mixture(store: Store, settings: MixSettings) -> MixSettings:
    """The settings with kept copies in place of the files that they name. Raises SettingsError."""
    changed: dict[str, Any] = {}
    if settings.frozen is not None:
        given = settings.frozen
        changed["frozen"] = keep_input(
            store, "mix.frozen", given, "frozen", lambda data: read_frozen(data, given)
        )
    if settings.tokenizer not in (NO_TOKENIZER, ESTIMATE):
        path = tokenizer_file(settings.tokenizer)
        changed["tokenizer"] = keep_input(store, "mix.tokenizer", path, "json", check_tokenizer)
    return settings.model_copy(update=changed)
