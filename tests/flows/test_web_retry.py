"""A busy database of Prefect's is asked again before a browser hears of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx
import pytest
from sqlalchemy.exc import OperationalError

from flows.web_guard import Receive, Scope, Send
from flows.web_retry import LARGEST_BODY, WebRetry

BUSY = (503, b'{"exception_message": "Service Unavailable"}')


class Server:
    """Answers with what it was told to, in order; remembers the bodies that it was sent."""

    def __init__(self, answers: Sequence[tuple[int, bytes]]) -> None:
        self.answers, self.bodies = list(answers), list[bytes]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["state"] == {}, "a try must not see what an earlier one left behind"
        scope["state"]["tried"] = True
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        status, said = self.answers.pop(0)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": said[:3], "more_body": True})
        await send({"type": "http.response.body", "body": said[3:]})
        if status == 503:  # as Starlette does, so that whoever runs it may log the error
            raise OperationalError("INSERT", {}, Exception("database is locked"))


def ask(
    server: Server, body: bytes | list[bytes] = b"{}", pauses: tuple[float, ...] = (0, 0)
) -> httpx.Response:
    app: Any = WebRetry(server, pauses)

    async def pieces() -> Any:
        for piece in body:
            yield piece

    async def once() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
            return await client.post("/api/runs", content=body if isinstance(body, bytes) else pieces())

    return asyncio.run(once())


def test_a_busy_database_is_asked_again_with_the_same_request() -> None:
    server = Server([BUSY, BUSY, (201, b'{"id": 1}')])
    answer = ask(server, [b'{"name":', b' "a"}'])
    assert (answer.status_code, answer.json()) == (201, {"id": 1})
    assert server.bodies == [b'{"name": "a"}'] * 3


def test_one_that_stays_busy_is_told() -> None:
    server = Server([BUSY] * 4)
    with pytest.raises(OperationalError):
        ask(server)
    assert len(server.bodies) == 3, "two pauses, three tries"


@pytest.mark.parametrize(
    "answer",
    [(200, b"fine"), (409, b"{}"), (500, BUSY[1]), (503, b"Database is not available"), (503, b"[]")],
)
def test_other_answers_pass_at_once(answer: tuple[int, bytes]) -> None:
    server = Server([answer, (200, b"second")])
    if answer[0] == 503:
        with pytest.raises(OperationalError):
            ask(server)
    else:
        got = ask(server)
        assert (got.status_code, got.content) == answer
    assert len(server.bodies) == 1


def test_a_large_request_is_passed_on_unheld() -> None:
    server = Server([BUSY, (200, b"second")])
    large = [b"x" * (LARGEST_BODY // 2)] * 5
    with pytest.raises(OperationalError):
        ask(server, large)
    assert server.bodies == [b"".join(large)]


def test_the_real_server_answers_so_when_sqlite_refuses() -> None:
    """Held against Prefect's own handler, so that another wording does not go unnoticed."""
    import sqlite3

    from prefect.server.api.server import custom_internal_exception_handler

    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorname = "SQLITE_BUSY_SNAPSHOT"
    refused = OperationalError("INSERT", {}, error)
    request: Any = None
    answer = asyncio.run(custom_internal_exception_handler(request, refused))
    assert (answer.status_code, json.loads(bytes(answer.body))) == (503, json.loads(BUSY[1]))
