"""`prefect.yaml` applied to the home's server, as `prefect deploy --all` would, but in a second instead of ten.

What is paused in the UI stays paused, and nothing is done when nothing changed since the last time.
"""

from __future__ import annotations

import hashlib
import json
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import yaml
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.objects import ConcurrencyOptions
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.exceptions import ObjectNotFound
from prefect.flows import Flow
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.form_fields import without_internal
from flows.prefect_home import ROOT
from schemas.errors import UsageError

POOL = "local"
#: Queues of the pool, and how many runs of each may be under way at once (None: as many as the worker takes).
QUEUES = {"default": None, "gpu": 1}


def read_deployments(path: Path = ROOT / "prefect.yaml") -> list[dict[str, Any]]:
    """The deployments of prefect.yaml, as they are written there, with the flow of each. Raises UsageError."""
    if not path.exists():
        raise UsageError("the deployments are not here", where=str(path), fix="Run vatra from its checkout.")
    written = yaml.safe_load(path.read_text("utf-8"))["deployments"]
    return [{**one, "flow": _flow(one["entrypoint"])} for one in written]


def digest_of(deployments: list[dict[str, Any]]) -> str:
    """Changes when anything changes that the server is told: the file, a form, this folder, Prefect's version."""
    told = [
        {**{name: value for name, value in one.items() if name != "flow"}, "form": _form(one["flow"])}
        for one in deployments
    ]
    text = json.dumps([str(ROOT), metadata.version("prefect"), told], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def apply_deployments(client: SyncPrefectClient, deployments: list[dict[str, Any]]) -> None:
    """The deployments, made or brought up to date; the pool must be there."""
    for one in deployments:
        _apply(client, one)


def are_deployed(client: SyncPrefectClient, deployments: list[dict[str, Any]]) -> bool:
    """Whether the server knows all of them by name: its database may be another one than the last time."""
    known = {deployment.name for deployment in client.read_deployments(limit=200)}
    return {one["name"] for one in deployments} <= known


def make_pool(client: SyncPrefectClient) -> None:
    """The work pool and its queues, if they are missing."""
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        client.create_work_pool(
            WorkPoolCreate(name=POOL, type="process", description="This machine.", base_job_template=template)
        )
    for name, limit in QUEUES.items():
        _make_queue(client, name, limit)


def _make_queue(client: SyncPrefectClient, name: str, limit: int | None) -> None:
    try:
        known = client.read_work_queue_by_name(name, POOL)
    except ObjectNotFound:
        client.create_work_queue(name, work_pool_name=POOL, concurrency_limit=limit)
    else:
        if limit is not None and known.concurrency_limit is None:
            client.update_work_queue(known.id, concurrency_limit=limit)


def _apply(client: SyncPrefectClient, one: dict[str, Any]) -> None:
    flow = one["flow"]
    limit = one.get("concurrency_limit") or {}
    client.create_deployment(
        client.create_flow_from_name(flow.name),
        one["name"],
        entrypoint=one["entrypoint"],
        description=one["description"],
        tags=one["tags"],
        parameters=one.get("parameters"),
        parameter_openapi_schema=_form(flow),
        enforce_parameter_schema=one["enforce_parameter_schema"],
        schedules=_schedules(one, _paused(client, f"{flow.name}/{one['name']}")),
        concurrency_limit=limit.get("limit"),
        concurrency_options=ConcurrencyOptions(collision_strategy=limit["collision_strategy"])
        if limit
        else None,
        work_pool_name=one["work_pool"]["name"],
        work_queue_name=one["work_pool"]["work_queue_name"],
        job_variables=one["work_pool"]["job_variables"],
        pull_steps=[{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}],
    )


def _paused(client: SyncPrefectClient, name: str) -> set[str]:
    """Slugs of schedules that a person has switched off."""
    try:
        known = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return set()
    return {schedule.slug for schedule in known.schedules if schedule.slug and not schedule.active}


def _schedules(one: dict[str, Any], paused: set[str]) -> list[DeploymentScheduleCreate]:
    return [
        DeploymentScheduleCreate(
            schedule=CronSchedule(cron=given["cron"], timezone=given["timezone"])
            if "cron" in given
            else IntervalSchedule(interval=given["interval"]),
            active=given["slug"] not in paused,
            slug=given["slug"],
        )
        for given in one.get("schedules", [])
    ]


def _flow(entrypoint: str) -> Flow[..., Any]:
    module, _, name = entrypoint.rpartition(".")
    flow: Flow[..., Any] = getattr(import_module(module), name)
    return flow


def _form(flow: Flow[..., Any]) -> dict[str, Any]:
    """The schema that forms are drawn from and parameters are held against; unknown parameters are refused."""
    schema = parameter_schema(flow).model_dump(exclude_unset=True)
    return {**without_internal(schema), "additionalProperties": False}
