"""How a run that a worker started tells what came of it: one line as its final state, and no traceback."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from httpx import HTTPError
from prefect.client.schemas.objects import State
from prefect.exceptions import FailedRun
from prefect.logging import get_run_logger
from prefect.states import Completed, Failed

from schemas.errors import VatraError
from storage.crashes import bugs_kept_private


def outcome(work: Callable[[], str]) -> State[Any]:
    """Completed with the line that `work` returns, or Failed with that of the VatraError that it raised."""
    from flows.processes import record_process

    record_process()
    log_failures_in_a_line()
    try:
        with bugs_kept_private(HTTPError):
            told = work()
    except VatraError as error:
        get_run_logger().error(str(error))
        return Failed(message=str(error))
    get_run_logger().info(told)
    return Completed(message=told)


def log_failures_in_a_line() -> None:
    """From now on Prefect's logs tell a foreseen failure by its message: it would add a traceback of this program.

    That a run has failed, which was logged when it did, is not logged once more by what waits for the run.
    """
    for name in ("prefect.task_runs", "prefect.flow_runs"):
        logging.getLogger(name).addFilter(_in_a_line)  # one and the same filter is added once


def _in_a_line(record: logging.LogRecord) -> bool:
    error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
    if isinstance(error, FailedRun):
        return False
    if isinstance(error, VatraError):
        record.msg, record.args, record.exc_info, record.exc_text = str(error), (), None, None
    return True
