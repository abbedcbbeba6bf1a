"""How a run that a worker started tells what came of it: one line as its final state, and no traceback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from httpx import HTTPError
from prefect.client.schemas.objects import State
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from schemas.errors import VatraError
from storage.crashes import bugs_kept_private


def outcome(work: Callable[[], str]) -> State[Any]:
    """Completed with the line that `work` returns, or Failed with that of the VatraError that it raised."""
    from flows.processes import record_process

    record_process()
    try:
        with bugs_kept_private(HTTPError):
            told = work()
    except VatraError as error:
        get_run_logger().error(str(error))
        return Failed(message=str(error))
    get_run_logger().info(told)
    return Completed(message=told)
