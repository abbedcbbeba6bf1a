"""Parse: exported chats in; imports, conversations and messages out."""

from __future__ import annotations

from prefect import task
from prefect.cache_policies import NO_CACHE

from schemas.summary import StageSummary
from storage.stages import Stage
from tasks.exports import export_units, parse_unit
from tasks.running import Run, Step, perform

PARSE = Step(
    stage=Stage("parse", version=5, kind="row", unit="conversations", function=parse_unit),
    settings=lambda run: run.settings.parse,
    reads={},
)


@task(name="parse", cache_policy=NO_CACHE, persist_result=False)
def parse_exports(run: Run) -> StageSummary:
    """Read the build's files into conversations and messages, with an account of each file."""
    return perform(PARSE, run, export_units(run.record.inputs, run.settings.sources))
