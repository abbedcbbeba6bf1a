"""What Prefect's logs say of a failure that vatra foresaw: its message, and no traceback."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from prefect.exceptions import FailedRun

from schemas.errors import StageFailed


@pytest.fixture
def told() -> Any:
    """The records that reach a handler of Prefect's logger of task runs."""
    from flows.outcomes import _in_a_line, log_failures_in_a_line

    class Kept(logging.Handler):
        def __init__(self) -> None:
            super().__init__()
            self.lines: list[str] = []

        def emit(self, record: logging.LogRecord) -> None:
            self.lines.append(self.format(record))

    logger, kept = logging.getLogger("prefect.task_runs"), Kept()
    log_failures_in_a_line()
    log_failures_in_a_line()
    logger.addHandler(kept)
    yield logger, kept.lines
    logger.removeHandler(kept)
    logger.removeFilter(_in_a_line)


def test_a_foreseen_failure_is_one_line(told: Any) -> None:
    logger, lines = told
    try:
        raise StageFailed("too little", where="mix", fix="Add examples.")
    except StageFailed as error:
        logger.error(f"Task run failed with exception: {error!r}", exc_info=True)
    try:
        raise FailedRun("too little (mix). Add examples.")
    except FailedRun:
        logger.error("Engine execution exited with unexpected exception", exc_info=True)
    assert lines == ["too little (mix). Add examples."], "said once"


def test_other_errors_are_logged_as_they_are(told: Any) -> None:
    logger, lines = told
    try:
        raise OSError("disk")
    except OSError:
        logger.error("It failed", exc_info=True)
    assert lines[0].startswith("It failed\nTraceback")
