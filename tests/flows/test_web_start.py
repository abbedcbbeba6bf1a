"""Servers of one home start one after the other."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path
from typing import Any

import pytest

from flows.web_start import WebStart


def is_held(lock: Path) -> bool:
    with lock.open("w") as ours:
        try:
            fcntl.flock(ours, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


@pytest.mark.parametrize("end", ["complete", "failed"])
def test_a_server_holds_the_lock_while_it_starts_and_no_longer(tmp_path: Path, end: str) -> None:
    lock = tmp_path / "starting.lock"
    seen: list[tuple[str, bool]] = []

    async def prefect(scope: Any, receive: Any, send: Any) -> None:
        seen.append(("migrating", is_held(lock)))
        await send({"type": f"lifespan.startup.{end}"})
        seen.append(("serving", is_held(lock)))

    async def told(message: Any) -> None:
        seen.append((message["type"], is_held(lock)))

    asyncio.run(WebStart(prefect, lock)({"type": "lifespan"}, None, told))  # type: ignore[arg-type]
    assert seen == [("migrating", True), (f"lifespan.startup.{end}", False), ("serving", False)]


def test_a_start_that_dies_and_a_request_leave_the_lock_free(tmp_path: Path) -> None:
    lock = tmp_path / "starting.lock"
    held: list[bool] = []

    async def prefect(scope: Any, receive: Any, send: Any) -> None:
        held.append(is_held(lock))
        raise OSError("no space left")

    for kind in ("lifespan", "http"):
        with pytest.raises(OSError, match="no space left"):
            asyncio.run(WebStart(prefect, lock)({"type": kind}, None, None))  # type: ignore[arg-type]
    assert held == [True, False]
    assert not is_held(lock)
