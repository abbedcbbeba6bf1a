"""Posting a notice to a webhook: short, once more when it may help, and never saying the address to anybody."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.notice import Notice

#: Seconds for connecting, and for each wait on the other side.
TIMEOUT = 5.0
TRIES = 2
PAUSE = 1.0


def post_notice(address: str, notice: Notice, pause: float = PAUSE) -> str | None:
    """POST the notice as JSON; returns None when it was taken (2xx), else why not, without the address.

    Redirects are not followed: the address could be handed to another host. Only what may pass is tried again.
    """
    import httpx

    problem = "it was not tried"
    for attempt in range(TRIES):
        if attempt:
            time.sleep(pause)
        try:
            status = _post(address, notice)
        except httpx.TimeoutException:
            problem = f"it did not answer within {TIMEOUT:g} seconds"
            continue
        except httpx.TransportError as error:
            problem = f"it cannot be reached ({type(error).__name__})"
            continue
        except (
            httpx.InvalidURL,
            ValueError,
            ImportError,
        ) as error:  # the address, or a proxy in the environment
            return f"the address, or a proxy of this machine, cannot be used ({type(error).__name__})"
        if 200 <= status < 300:
            return None
        problem = f"it answered {status}"
        if 300 <= status < 400:
            return f"{problem}, a redirect, which is not followed"
        if status < 500 and status != 429:
            return problem
    return f"{problem}, {TRIES} times"


def _post(address: str, notice: Notice) -> int:
    import httpx

    body = notice.model_dump(mode="json")
    with (
        _quiet(),
        httpx.Client(timeout=TIMEOUT, follow_redirects=False) as client,
        client.stream("POST", address, json=body) as answer,  # the answer's body is not read
    ):
        return answer.status_code


@contextmanager
def _quiet() -> Iterator[None]:
    """httpx logs each request with its whole address, which may hold a token."""
    logger = logging.getLogger("httpx")
    logger.addFilter(_drop)
    try:
        yield
    finally:
        logger.removeFilter(_drop)


def _drop(record: logging.LogRecord) -> bool:
    return False
