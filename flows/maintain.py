"""The flow `maintain`: no run stays Running or Pending for ever, and what the dead left behind is cleared.

Prefect notices a dead process only while its worker lives, and a run that was claimed but not started never. The
sweep looks at every run that claims to be under way, and asks whether its process is there (flows/processes.py).
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect import flow
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.client.schemas.filters import FlowRunFilter, TaskRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.context import FlowRunContext
from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter, EventResourceFilter
from prefect.states import Cancelled, Crashed, Scheduled
from pydantic import BaseModel

from flows.outcomes import outcome
from flows.processes import HOST, process_of
from flows.watching import SILENCE
from storage.home import Home, open_home
from storage.processes import is_here, is_running, mark_process, this_place

#: A run that a worker claimed has begun within seconds; after this it never will.
PENDING_FOR = timedelta(minutes=5)
#: The same when a process of that number is alive: it may be slow to start, or another one's by now.
PENDING_WITH_PROCESS = timedelta(hours=1)
#: A run without heartbeats in a place that cannot be looked into (another machine or container on the same home).
OUT_OF_SIGHT = timedelta(hours=24)
#: A run that was claimed so often and never began is not tried again.
CLAIMS = 3
PAGE = 200


class Swept(BaseModel):
    """What a sweep did."""

    crashed: int = 0
    cancelled: int = 0
    rescheduled: int = 0
    tasks: int = 0
    slots: int = 0

    @property
    def changed(self) -> int:
        """Flow runs that were given another state."""
        return self.crashed + self.cancelled + self.rescheduled

    def __str__(self) -> str:
        return (
            f"{self.crashed} runs marked as crashed, {self.cancelled} as cancelled, {self.rescheduled} scheduled "
            f"again; {self.tasks} tasks marked as crashed, {self.slots} slots freed"
        )


@flow(name="maintain", persist_result=False)
def maintain() -> State[Any]:
    """Mark as crashed what died without a word, and clear what it left."""
    return outcome(_maintain)


def _maintain() -> str:
    with get_client(sync_client=True) as client:
        return str(sweep(client, datetime.now(UTC), open_home()))


def sweep(client: SyncPrefectClient, now: datetime, home: Home) -> Swept:
    """Look at every run under way, as of `now`; returns what was done. Living runs are left alone."""
    swept = Swept()
    for run in _runs(client, (StateType.RUNNING, StateType.CANCELLING)):
        if _is_dead(client, run, now):
            ended = run.state_type == StateType.CANCELLING
            _end(client, run, cancelled=ended)
            swept.cancelled += ended
            swept.crashed += not ended
    for run in _runs(client, (StateType.PENDING,)):
        if _never_began(run, now):
            again = run.deployment_id is not None and _claims(client, run) < CLAIMS
            if again:
                # Nothing of it has run, so that nothing is done twice; and what a person asked for is not lost.
                client.set_flow_run_state(run.id, Scheduled(message=_AGAIN), force=True)
            else:
                _end(client, run, cancelled=False)
            swept.rescheduled += again
            swept.crashed += not again
    swept.tasks = _end_tasks(client)
    swept.slots = _free_slots(client)
    home.store.sweep_staging()
    return swept


_GONE = "Its process is gone. Start the run again to go on: finished parts are kept."
_AGAIN = "It was claimed by a worker that is gone before it began: scheduled again."


def _is_dead(client: SyncPrefectClient, run: FlowRun, now: datetime) -> bool:
    mark = process_of(run)
    if mark is not None and is_here(mark):
        return not is_running(mark)
    if mark is not None and _same_host(run) and mark.place.split()[0] != this_place().split()[0]:
        return True  # this machine was started anew since
    since = run.state.timestamp if run.state else run.created or now
    heard = _last_heartbeat(client, run, since)
    if mark is None or heard is not None:
        return now - (heard or since) > SILENCE
    return now - since > OUT_OF_SIGHT


def _never_began(run: FlowRun, now: datetime) -> bool:
    since = run.state.timestamp if run.state else run.created or now
    pid = (run.infrastructure_pid or "").rpartition(":")[2]
    alive = pid.isdigit() and mark_process(int(pid)) is not None
    return now - since > (PENDING_WITH_PROCESS if alive else PENDING_FOR)


def _same_host(run: FlowRun) -> bool:
    return run.labels.get(HOST) == socket.gethostname()


def _last_heartbeat(client: SyncPrefectClient, run: FlowRun, since: datetime) -> datetime | None:
    wanted = EventFilter(
        event=EventNameFilter(name=["prefect.flow-run.heartbeat"]),
        resource=EventResourceFilter(id=[f"prefect.flow-run.{run.id}"]),
        occurred=EventOccurredFilter(since=since),
    )
    page = client.read_events(wanted, limit=1)
    return page.events[0].occurred if page.events else None


def _claims(client: SyncPrefectClient, run: FlowRun) -> int:
    return sum(state.type == StateType.PENDING for state in client.read_flow_run_states(run.id))


def _end(client: SyncPrefectClient, run: FlowRun, *, cancelled: bool) -> None:
    state: State[Any] = Cancelled(message=_GONE) if cancelled else Crashed(message=_GONE)
    client.set_flow_run_state(run.id, state, force=True)


def _end_tasks(client: SyncPrefectClient) -> int:
    """Tasks that claim to be under way in a run that has ended."""
    ended = FlowRunFilter.model_validate(
        {"state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}}
    )
    open_ = TaskRunFilter.model_validate({"state": {"type": {"any_": ["RUNNING", "PENDING"]}}})
    told: State[Any] = Crashed(message="The run that it belongs to has ended.")
    done: set[UUID] = set()
    while True:
        found = client.read_task_runs(flow_run_filter=ended, task_run_filter=open_, limit=PAGE)
        fresh = [task.id for task in found if task.id not in done]
        for task in fresh:
            client.set_task_run_state(task, told, force=True)
        done |= set(fresh)
        if not fresh:
            return len(done)


def _free_slots(client: SyncPrefectClient) -> int:
    """Slots of deployments that nobody holds any more."""
    freed = 0
    for limit in client.read_global_concurrency_limits(limit=PAGE):
        prefix, _, deployment = limit.name.partition(":")
        if prefix != "deployment" or not limit.active_slots:
            continue
        under_way = (StateType.RUNNING, StateType.CANCELLING, StateType.PENDING)
        held = sum(str(run.deployment_id) == deployment for run in _runs(client, under_way))
        if held < limit.active_slots:
            client.update_global_concurrency_limit(
                limit.name, GlobalConcurrencyLimitUpdate(active_slots=held)
            )
            freed += limit.active_slots - held
    return freed


def _runs(client: SyncPrefectClient, kinds: Iterable[StateType]) -> list[FlowRun]:
    """All runs in these states, but for the one that asks."""
    context = FlowRunContext.get()
    own = context.flow_run.id if context is not None and context.flow_run is not None else None
    wanted = FlowRunFilter.model_validate({"state": {"type": {"any_": [kind.value for kind in kinds]}}})
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=wanted, limit=PAGE, offset=len(found)):
        found += page
    return [run for run in found if run.id != own]
