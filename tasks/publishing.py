"""Mix: which examples, in which split and order; publishes the corpus as Parquet shards."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.mixing import publish_corpus
from tasks.running import Run, Step, perform

MIX = Step(
    stage=Stage("mix", version=1, kind="corpus", unit="examples", function=publish_corpus),
    settings=lambda run: run.settings.mix,
    reads={"examples": "assemble", "clusters": "dedup"},
    rows_in=lambda run: run.dataset("dedup").manifest.summary["keepers"],
)


@task(name="mix", cache_policy=NO_CACHE, persist_result=False)
def mix_corpus(run: Run) -> StageSummary:
    """Choose examples by share, split them by conversation, write the corpus in its order."""
    return perform(MIX, run)
