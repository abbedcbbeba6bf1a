"""The automation that notices runs whose signs of life have stopped, while the server is up."""

from __future__ import annotations

from datetime import timedelta

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture
from prefect.events.schemas.events import ResourceSpecification

from flows.prefect_home import HEARTBEAT_SECONDS

NAME = "vatra: runs that fell silent"
#: Three heartbeats missed; a run that never sent one (a command's own) is never judged by this.
SILENCE = timedelta(seconds=3 * HEARTBEAT_SECONDS)


def watch_heartbeats(client: SyncPrefectClient) -> None:
    """Create the automation, or bring it up to date; one that a person switched off stays off."""
    wanted = _automation()
    known = client.read_automations_by_name(NAME)
    if not known:
        client.create_automation(wanted)
    elif known[0].trigger != wanted.trigger:
        client.update_automation(known[0].id, wanted.model_copy(update={"enabled": known[0].enabled}))


def _automation() -> AutomationCore:
    beat = "prefect.flow-run.heartbeat"
    ends = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed")}
    return AutomationCore(
        name=NAME,
        description="A run whose process died with its worker sends no more heartbeats: it has crashed.",
        trigger=EventTrigger(
            after={beat},
            expect={beat, *ends},
            match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=SILENCE,
        ),
        actions=[
            ChangeFlowRunState(
                state=StateType.CRASHED, message="Its process fell silent. Start the run again to go on."
            )
        ],
    )
