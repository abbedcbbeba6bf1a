"""The pages of `vatra report --serve`, asked as a browser, a stranger and an attacker would ask them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from flows.report_pages import HEADERS, report_app
from storage.home import Home, open_home
from storage.names import give_name, list_names
from tasks.training_kinds import KINDS, LORA, NOVA, TrainingKind
from tests.made_builds import put_build

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = open_home(tmp_path / "home")
    put_build(made.store, "b1")
    put_build(made.store, "b2", parent="b1")
    (made.reports / "b1.html").write_text("<!doctype html><title>the report of b1</title>", "utf-8")
    (made.path / "private.html").write_text("private")
    return made


def ask(home: Home, path: str, method: str = "GET", **more: Any) -> httpx.Response:
    async def asked() -> httpx.Response:
        transport = httpx.ASGITransport(app=report_app(home), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8000") as client:
            return await client.request(method, path, **more)

    return asyncio.run(asked())


def assert_strict(answer: httpx.Response) -> None:
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("style-src") != "*"
    assert policy == {
        "default-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert "set-cookie" not in answer.headers
    assert "access-control-allow-origin" not in answer.headers


def test_the_list_links_to_every_report(home: Home) -> None:
    answer = ask(home, "/")
    assert answer.status_code == 200
    assert_strict(answer)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert re.findall(r'href="(/builds/\w+)"', answer.text) == ["/builds/b2", "/builds/b1"]
    assert "'sha256-" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert "style=" not in answer.text, "the policy would not let it act"


def test_a_report_that_stands_is_served_as_it_is(home: Home) -> None:
    answer = ask(home, "/builds/b1")
    assert (answer.status_code, answer.text) == (200, "<!doctype html><title>the report of b1</title>")
    assert_strict(answer)


def test_head_is_answered_without_a_body(home: Home) -> None:
    answer = ask(home, "/", "HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert_strict(answer)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
@pytest.mark.parametrize("path", ["/", "/builds/b1"])
def test_nothing_can_be_written(home: Home, method: str, path: str) -> None:
    answer = ask(home, path, method)
    assert answer.status_code == 405
    assert_strict(answer)


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "evil.example:8000", "0.0.0.0", "", "[::1]"]
)
def test_a_host_that_is_not_this_machine_is_refused(home: Home, host: str) -> None:
    answer = ask(home, "/builds/b1", headers={"Host": host})
    assert answer.status_code == 400
    assert "b1" not in answer.text
    assert_strict(answer)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8123", "localhost:8123"])
def test_this_machine_is_let_in(home: Home, host: str) -> None:
    assert ask(home, "/builds/b1", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/builds/../private",
        "/builds/..%2fprivate",
        "/builds/%2e%2e%2fprivate",
        "/builds/..%5cprivate",
        "/builds/%2fetc%2fpasswd",
        "/builds/b1%00",
        "/builds/b1.html%0d%0aX: y",
        "/builds/.hidden",
        "/builds/latest",
        "/builds/unknown",
        f"/builds/{'b' * 200}",
        "/builds/<script>alert(1)</script>",
        "/builds/",
        "/builds/b1/",
        "/builds/unknown/validation",
        "/private.html",
        "/reports/b1.html",
    ],
)
def test_what_is_no_build_is_not_found(home: Home, path: str) -> None:
    answer = ask(home, path)
    assert answer.status_code == 404
    assert_strict(answer)
    assert "private" not in answer.text.replace("private.html", "")
    assert "<script" not in answer.text


def test_damage_is_a_page_that_says_so_and_the_list_goes_on(home: Home) -> None:
    Path(home.store.full("builds/b3.json")).write_text("damaged")
    Path(home.store.full("builds/b4.json")).write_text(
        Path(home.store.full("builds/b1.json")).read_text().replace('"b1"', '"../../private"')
    )
    assert "plan is damaged" in ask(home, "/").text
    assert "plan is damaged" in ask(home, "/builds/b3").text
    answer = ask(home, "/builds/b4")
    assert (answer.status_code, "names another build" in answer.text) == (404, True)
    assert sorted(path.name for path in home.reports.iterdir()) == ["b1.html"]


def test_validation_results_without_their_dataset(home: Home) -> None:
    answer = ask(home, "/builds/b1/validation")
    assert answer.status_code == 200
    assert "No expectations were run." in answer.text
    assert_strict(answer)


def test_a_missing_report_is_made_from_the_store(built: Any) -> None:
    home = Home(built.home)
    page = Path(built.summary["report"])
    written = page.read_bytes()
    page.unlink()
    try:
        answer = ask(home, f"/builds/{built.summary['build']}")
        assert answer.status_code == 200
        assert_strict(answer)
        assert "All settings of this build" in answer.text
        assert page.read_bytes() == answer.content
        listed = ask(home, "/").text
        assert "on the demo base" in listed
        results = ask(home, f"/builds/{built.summary['build']}/validation").text
        assert re.search(r"All \d+ expectations hold", results)
    finally:
        page.write_bytes(written)


def put_trained(
    home: Home, name: str | None, mark: str, account: dict[str, Any] | None, kind: TrainingKind = LORA
) -> None:
    """The manifest and name of something trained, written by hand; `account` None: the run is gone."""
    if account is not None:
        manifest = {"stage": kind.stage, "fingerprint": mark, "files": {}, "account": account}
        home.store.put_if_absent(
            f"artifacts/{kind.stage}/{mark}/manifest.json", json.dumps(manifest).encode()
        )
    if name is not None:
        give_name(home.store, kind.names, name, kind.stage, mark)


def test_adapters_are_listed_each_with_its_page(home: Home) -> None:
    assert 'id="adapters"' not in ask(home, "/").text
    told = {"base": "org/model", "base_is_demo": False, "examples": 1234, "steps": 56}
    put_trained(home, "ada", "a" * 32, told)
    put_trained(home, "mine", "b" * 32, {**told, "base": "/home/ana/private/model"})
    put_trained(home, None, "c" * 32, {**told, "base_is_demo": True})
    put_trained(home, "gone", "d" * 32, None)
    put_trained(home, "odd", "e" * 32, {"base": "org/model"})
    (home.reports / "lora-ada.html").write_text("<!doctype html><title>the run of ada</title>", "utf-8")
    listed = ask(home, "/")
    assert_strict(listed)
    assert re.findall(r'href="/adapters/(\w+)"', listed.text) == ["ada", "mine", "c" * 32]
    for word in ("1,234", "56", "org/model", "the demo base", "its run was pruned", "its account is damaged"):
        assert word in listed.text
    assert "/home/ana" not in listed.text
    page = ask(home, "/adapters/ada")
    assert (page.status_code, page.text) == (200, "<!doctype html><title>the run of ada</title>")
    assert_strict(page)
    assert ask(home, "/builds/lora-ada.html").headers["location"] == "/adapters/ada", (
        "as a build's page links it"
    )
    for name, status in {
        "gone": 500,
        "odd": 500,
        "nobody": 404,
        "..%2fb1": 404,
        "%2e%2e": 404,
        "b1": 404,
    }.items():
        refused = ask(home, f"/adapters/{name}")
        assert refused.status_code == status, name
        assert_strict(refused)


def test_nova_models_are_listed_each_with_its_page(home: Home) -> None:
    assert 'id="nova"' not in ask(home, "/").text
    told = {"members": ["nova", "sora"], "parameters": 2_338_445, "examples": 1234, "steps": 56}
    put_trained(home, "tribe", "a" * 32, told, NOVA)
    put_trained(home, "gone", "b" * 32, None, NOVA)
    put_trained(home, "odd", "c" * 32, {"steps": 1}, NOVA)
    NOVA.page_of(home, "tribe").write_text("<!doctype html><title>the run of tribe</title>", "utf-8")
    listed = ask(home, "/")
    assert_strict(listed)
    assert re.findall(r'href="/nova/(\w+)"', listed.text) == ["tribe"]
    for word in ("nova, sora; 2,338,445 weights", "1,234", "its run was pruned", "its account is damaged"):
        assert word in listed.text
    page = ask(home, "/nova/tribe")
    assert (page.status_code, page.text) == (200, "<!doctype html><title>the run of tribe</title>")
    assert_strict(page)
    assert ask(home, "/builds/nova-tribe.html").headers["location"] == "/nova/tribe"
    for name, status in {"gone": 500, "odd": 500, "nobody": 404, "..%2fb1": 404, "b1": 404}.items():
        assert ask(home, f"/nova/{name}").status_code == status, name


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.names)
def test_a_missing_page_of_a_run_is_made_again(built: Any, kind: TrainingKind) -> None:
    home = Home(built.home)
    place = {"lora": "adapters", "nova": "nova"}[kind.names]
    name = next(iter(list_names(home.store, kind.names)))
    page = kind.page_of(home, name)
    written = page.read_bytes()
    page.unlink()
    try:
        assert f'href="/{place}/{name}"' in ask(home, "/").text
        answer = ask(home, f"/{place}/{name}")
        assert_strict(answer)
        assert answer.content == page.read_bytes() == written
    finally:
        page.write_bytes(written)


def serving(home: Path, *arguments: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT_", "VATRA_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "report", "--serve", "--json", "--home", str(home), *arguments],
        cwd=ROOT, env=kept, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_the_command_serves_on_a_free_port_until_it_is_interrupted(home: Home) -> None:
    process = serving(home.path)
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", url)
        answer = httpx.get(url, trust_env=False)
        assert answer.status_code == 200
        assert "server" not in answer.headers
        assert_strict(answer)
    finally:
        process.send_signal(signal.SIGINT)
        out, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == ""
    assert errors.splitlines()[1:] == ["The reports are no longer served."]
    assert errors.splitlines()[0] == f"Reports  {url}   (Ctrl-C ends this)"


def test_a_build_that_was_named_is_where_the_address_leads(home: Home) -> None:
    process = serving(home.path, "b1")
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        assert httpx.get(url, trust_env=False).text.endswith("the report of b1</title>")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_refusals_are_one_line(home: Home, run_vatra: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        given = ("report", "--serve", "--home", home.path, "--port")
        for number, told in ((port, f"port {port} is in use"), (99999, "port 99999 cannot be used")):
            answer = run_vatra(*given, number)
            assert answer.code == 2
            assert answer.errors.startswith(f"vatra: {told}")
            assert len(answer.errors.splitlines()) == 1
    answer = run_vatra("report", "--port", "8000", "--home", home.path)
    assert (answer.code, "--port goes with --serve" in answer.errors) == (2, True)
    answer = run_vatra("report", "nope", "--serve", "--home", home.path)
    assert (answer.code, "no build is called 'nope'" in answer.errors) == (2, True)
