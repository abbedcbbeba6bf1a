"""The flow `run-stage`: one stage of a build again; everything upstream that stands is reused.

Each stage has a flow function of its own (`rerun_filter`, ...), for its form shows that stage's settings and nothing
else. `run_here` is what the command line runs in its own process, over a build that it planned already.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from prefect import Flow, flow
from prefect.client.schemas.objects import State

from flows.building import run_stages, tell
from flows.outcomes import outcome
from flows.planning import change_build, open_build
from flows.processes import record_process
from schemas.settings.changes import Changes, changes_of
from storage.home import open_home
from tasks.accounts import BuildReport


@flow(name="run-stage", persist_result=False)
def run_here(planned: str, home: str | None = None, workers: int | None = None) -> BuildReport:
    """Make the last stage of a plan stand; what it needs and does not stand yet is computed first.

    Args:
        planned: The build, as it was planned: up to the stage that is asked for.
        home: The home folder; the default is VATRA_HOME.
        workers: Processes for the row stages; the default is one per core.
    """
    record_process()
    return run_stages(open_build(open_home(Path(home) if home else None), planned, workers))


def _rerun(stage: str, build: str, changes: dict[str, Any], downstream: bool) -> str:
    run = change_build(open_home(), build, changes, None if downstream else stage, stage)
    return tell(run_stages(run))


def _flow_of(stage: str) -> Flow[Any, State[Any]]:
    """The flow of one stage, with its own form; a stage that has nothing to set asks for no changes."""
    model = changes_of(stage)

    def rerun(build: str, downstream: bool, changes: Changes | None = None) -> State[Any]:
        given = changes.model_dump(mode="json") if changes is not None else {}
        return outcome(lambda: _rerun(stage, build, given, downstream))

    asked: dict[str, tuple[Any, Any]] = {"build": (str, "latest")}
    if model is not None:
        asked["changes"] = (model, model())
    asked["downstream"] = (bool, True)
    rerun.__name__ = f"rerun_{stage.replace('-', '_')}"
    rerun.__doc__ = _FORM.format(stage=stage)
    rerun.__annotations__ = {name: kind for name, (kind, _) in asked.items()} | {"return": State[Any]}
    rerun.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind)
            for name, (kind, default) in asked.items()
        ]
    )
    return flow(name="run-stage", persist_result=False)(rerun)


_FORM = """Run the stage {stage} again as a new build; everything upstream is reused.

    Args:
        build: The build to start from, by its id; latest: the newest finished one.
        changes: What shall be different. Whatever is left empty stays as it was in that build.
        downstream: Carry on with the stages that follow, to a new corpus. Off: stop after this stage.
    """

rerun_parse = _flow_of("parse")
rerun_reconcile = _flow_of("reconcile")
rerun_score = _flow_of("score")
rerun_filter = _flow_of("filter")
rerun_assemble = _flow_of("assemble")
rerun_dedup = _flow_of("dedup")
rerun_label = _flow_of("label")
rerun_mix = _flow_of("mix")
rerun_train_lora = _flow_of("train-lora")
rerun_train_tribal = _flow_of("train-tribal")
