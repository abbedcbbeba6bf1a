"""Assemble: kept messages into training examples, salvaging before dropping."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.assembly import assemble_part
from tasks.running import Run, Step, perform, rows_of

ASSEMBLE = Step(
    stage=Stage("assemble", version=4, kind="row", unit="messages", function=assemble_part),
    settings=lambda run: run.settings.assemble,
    reads={"messages": "parse", "conversations": "parse", "signals": "score", "verdicts": "filter"},
    rows_in=rows_of("messages", "parse"),
)


@task(name="assemble", cache_policy=NO_CACHE, persist_result=False)
def assemble_examples(run: Run) -> StageSummary:
    """Make one example of each conversation that has something to learn; place every message."""
    return perform(ASSEMBLE, run)
