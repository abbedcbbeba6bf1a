"""Dedup: examples that say the same, and the one of them that is kept."""

from __future__ import annotations

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from models.embedding import open_embedder, weights_digest
from schemas.settings import DedupSettings
from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.dedup import find_duplicates
from tasks.running import Run, Step, perform, rows_of


def dedup_settings(run: Run) -> DedupSettings:
    """What the dedup stage may know, with the digest of the embedding model's weights. Raises MissingModel."""
    settings = run.settings.dedup
    if settings.semantic is None:
        return settings
    return settings.model_copy(update={"semantic_digest": weights_digest(Path(settings.semantic))})


DEDUP = Step(
    stage=Stage(
        "dedup",
        version=3,
        kind="corpus",
        unit="examples",
        function=find_duplicates,
        libraries=("daft", "polars"),
        resource=open_embedder,
    ),
    settings=dedup_settings,
    reads={"examples": "assemble"},
    rows_in=rows_of("examples", "assemble"),
)


@task(name="dedup", cache_policy=NO_CACHE, persist_result=False)
def deduplicate_examples(run: Run) -> StageSummary:
    """Find clusters of examples that say the same and name each cluster's keeper."""
    return perform(DEDUP, run)
