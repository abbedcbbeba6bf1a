"""A flow run says which process it lives in, so that a sweep can tell the dead from the living."""

from __future__ import annotations

import os
import socket

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from storage.processes import ProcessMark, mark_process

LABELS = ("vatra.place", "vatra.pid", "vatra.began")
HOST = "vatra.host"


def record_process() -> None:
    """Write this process onto the flow run that it is in: `host:pid` for people, and labels that name it for good.

    The host is a label too: a place tells one boot from another, and only the host says whether it was this machine's.
    """
    context = FlowRunContext.get()
    mark = mark_process(os.getpid())
    if context is None or context.flow_run is None or mark is None:
        return
    place, pid, began = LABELS
    with get_client(sync_client=True) as client:
        client.update_flow_run_labels(
            context.flow_run.id,
            {place: mark.place, pid: mark.pid, began: mark.began, HOST: socket.gethostname()},
        )
        if context.flow_run.deployment_id is None:  # else it is the worker's to write, who cancels by it
            client.update_flow_run(
                context.flow_run.id, infrastructure_pid=f"{socket.gethostname()}:{mark.pid}"
            )


def process_of(run: FlowRun) -> ProcessMark | None:
    """The process that a flow run wrote down; None when it did not come so far."""
    labels = run.labels
    if any(label not in labels for label in LABELS):
        return None
    place, pid, began = (labels[label] for label in LABELS)
    return ProcessMark(place=str(place), pid=int(pid), began=str(began))
