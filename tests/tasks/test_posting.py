"""Posting to a real server on this machine: taken, refused, redirected, silent, gone."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator

import pytest

from schemas.notice import Notice
from tasks import posting
from tasks.posting import post_notice
from tests.webhooks import Hook, listening_hook

NOTICE = Notice(
    what="build failed", text="vatra (home): build b1 failed", home="home", build="b1", error="why"
)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with listening_hook() as made:
        yield made


def test_a_notice_arrives_as_json_and_its_address_is_in_no_log(
    hook: Hook, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        assert post_notice(f"{hook.url}/T0ken?key=T0ken", NOTICE) is None
    assert hook.told == [NOTICE.model_dump()]
    assert hook.paths == ["/T0ken?key=T0ken"]
    assert "T0ken" not in caplog.text


@pytest.mark.parametrize(
    ("answers", "problem", "tries"),
    [
        ([500, 204], None, 2),
        ([429, 200], None, 2),
        ([503], "it answered 503, 2 times", 2),
        ([404], "it answered 404", 1),
        ([401], "it answered 401", 1),
    ],
)
def test_only_what_may_pass_is_tried_once_more(
    hook: Hook, answers: list[int], problem: str | None, tries: int
) -> None:
    hook.answers = list(answers)
    assert post_notice(hook.url, NOTICE, pause=0) == problem
    assert len(hook.told) == tries


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(hook: Hook, status: int) -> None:
    with listening_hook() as other:
        hook.answers = [(status, {"Location": other.url})]
        assert post_notice(hook.url, NOTICE) == f"it answered {status}, a redirect, which is not followed"
        assert len(hook.told) == 1
        assert other.told == []


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody else can take the port
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/T0ken"
        assert post_notice(address, NOTICE, pause=0) == "it cannot be reached (ConnectError), 2 times"


def test_one_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(posting, "TIMEOUT", 0.2)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/T0ken"
        assert post_notice(address, NOTICE, pause=0) == "it did not answer within 0.2 seconds, 2 times"


@pytest.mark.parametrize("address", ["http://a..b/T0ken", f"http://{'a' * 300}/T0ken"])
def test_an_address_that_no_resolver_takes_is_no_traceback(address: str) -> None:
    problem = post_notice(address, NOTICE, pause=0)
    assert problem
    assert "T0ken" not in problem
