"""`vatra up`, `status`, `down` at their edges: what is taken, gone, moved, or was never there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from flows.form_fields import without_internal
from flows.services import Services, left_behind, new_service, read_services, write_services
from storage.home import Home, open_home
from storage.processes import is_running, mark_process
from tests.flows.services import ROOT, free_port, kill, start_vatra


def vatra(*arguments: object, **variables: str) -> tuple[int, str, str]:
    process = start_vatra(*arguments, **variables)
    out, errors = process.communicate(timeout=180)
    return process.returncode, out, errors


def test_nothing_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    code, out, _ = vatra("status", "--home", home)
    assert (code, "Start it with `vatra up`" in out) == (0, True)
    for _ in range(2):
        assert vatra("down", "--home", home)[:2] == (0, "Nothing was running.\n")
    assert not home.exists(), "who only looks makes nothing"


@pytest.mark.parametrize("port", [0, 70_000])
def test_port_that_is_none(tmp_path: Path, port: int) -> None:
    code, _, errors = vatra("up", "--home", tmp_path / "home", "--port", port)
    assert (code, errors) == (2, "vatra: a port is a number from 1 to 65535 (--port)\n")


def test_port_taken_by_another_program(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        code, _, errors = vatra("up", "--home", home, "--port", port)
    assert code == 2
    assert f"port {port} of 127.0.0.1 is taken by another program" in errors
    assert "Traceback" not in errors
    assert not (home / "prefect" / "services.json").exists()


def test_recycled_pid_is_never_taken_for_ours(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    bystander = psutil.Popen([sys.executable, "-c", "input()"], stdin=-1)
    try:
        service = new_service(bystander.pid)
        assert service is not None
        older = service.model_copy(update={"mark": service.mark.model_copy(update={"began": "1"})})
        write_services(home, Services(home=str(home.path), port=1, server=older, worker=older))
        assert vatra("down", "--home", home.path)[1] == "Nothing was running.\n"
        assert bystander.is_running()
        assert is_running(service.mark)
    finally:
        bystander.kill()
        bystander.wait()
    assert not is_running(service.mark)
    assert mark_process(bystander.pid) is None


def test_a_copied_home_does_not_own_the_services(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    service = new_service(psutil.Process().pid)
    write_services(home, Services(home=str(home.path), port=1, server=service))
    shutil.copytree(home.path, tmp_path / "copy")
    copy = Home(tmp_path / "copy")
    assert (read_services(copy), left_behind(copy)) == (None, None)
    shutil.rmtree(home.path)
    assert left_behind(copy) is not None


def test_damaged_state_is_as_none(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home")
    (home.prefect / "services.json").write_text("{", "utf-8")
    assert read_services(home) is None
    assert vatra("status", "--home", home.path)[0] == 0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A home with services up that ask for a login; `move` may be done to it."""
    folder = tmp_path_factory.mktemp("up")
    home, port = folder / "home", free_port()
    login = {"PREFECT_SERVER_API_AUTH_STRING": "me:secret"}
    code, out, errors = vatra("up", "--home", home, "--port", port, "--json", **login)
    assert code == 0, errors
    yield {"home": home, "port": port, "login": login, "told": json.loads(out.splitlines()[-1])}
    for place in (home, folder / "elsewhere"):
        vatra("down", "--home", place, **login)


def test_login_is_asked_for_and_honoured(running: Any) -> None:
    code, _, errors = vatra("status", "--home", running["home"])
    assert (code, "the server of this home asks for a login" in errors) == (2, True)
    code, out, errors = vatra("status", "--home", running["home"], "--json", **running["login"])
    assert code == 0, errors
    told = json.loads(out.splitlines()[-1])
    assert told["server"] == running["told"]["server"]
    assert told["next"]["flow"] == "build-corpus/nightly", "Prefect's scheduler made no run of the schedule"


def test_a_build_without_the_login_says_so(running: Any) -> None:
    code, _, errors = vatra(
        "build", ROOT / "examples", "--home", running["home"], "--set", "toxicity.scorer=none"
    )
    assert code == 2
    assert "the server of this home asks for a login" in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_headers_and_names(running: Any) -> None:
    import http.client

    def ask(host: str, path: str, method: str = "GET") -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", running["port"], timeout=30)
        headers = {"Host": host, "Accept": "text/html", "Accept-Encoding": "gzip"}
        connection.request(method, path, headers=headers)
        return connection.getresponse()

    ours = f"127.0.0.1:{running['port']}"
    page = ask(ours, "/v2/dashboard")
    policy = page.headers["Content-Security-Policy"]
    assert "script-src 'self' 'unsafe-eval';" in policy, "no inline script, no other host"
    assert "img-src 'self' data: blob:;" in policy
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert b'<script src="/vatra/quiet.js">' in page.read()
    assert ask("evil.example", "/api/health").status == 421
    assert ask(ours, "/api/admin/version").status == 401
    assert ask(ours, "/api/flow_runs/filter", "POST").status in (401, 403)


def deployed(running: Any, folder: Path) -> dict[str, Any]:
    """What the server knows of each deployment, but for what differs from one time to the next."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, PREFECT_HOME, temporary_settings

    kept = {
        *("entrypoint", "description", "tags", "parameters", "enforce_parameter_schema", "work_pool_name"),
        *(
            "work_queue_name",
            "job_variables",
            "pull_steps",
            "concurrency_options",
            "parameter_openapi_schema",
        ),
    }
    login = {PREFECT_API_AUTH_STRING: "me:secret", PREFECT_HOME: folder}
    settings = temporary_settings({PREFECT_API_URL: running["told"]["api"], **login})
    with settings, get_client(sync_client=True) as client:
        flows = {flow.id: flow.name for flow in client.read_flows()}
        found = client.read_deployments()
    told = {}
    for one in found:
        values = one.model_dump(mode="json", include=kept)
        form = without_internal(
            values["parameter_openapi_schema"]
        )  # Prefect knows nothing of internal settings
        form.pop("additionalProperties", None)  # ours is the stricter one
        values["parameter_openapi_schema"] = form
        values["limit"] = one.global_concurrency_limit and one.global_concurrency_limit.limit
        values["schedules"] = [
            (
                each.slug,
                each.active,
                getattr(each.schedule, "cron", None),
                getattr(each.schedule, "timezone", None),
            )
            for each in one.schedules
        ]
        told[f"{flows[one.flow_id]}/{one.name}"] = values
    return told


def test_prefect_itself_deploys_the_same(running: Any, tmp_path: Path) -> None:
    """`prefect deploy --all` reads prefect.yaml, and changes nothing of what `vatra up` has made of it."""
    ours = deployed(running, tmp_path)
    assert len(ours) == 15
    own = {"PREFECT_API_URL": running["told"]["api"], "PREFECT_API_AUTH_STRING": "me:secret"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=ROOT,
        env={**kept, **own, "PREFECT_HOME": str(tmp_path), "DO_NOT_TRACK": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert deployed(running, tmp_path) == ours


def test_another_home_is_named(running: Any, tmp_path: Path) -> None:
    code, _, errors = vatra("up", "--home", tmp_path / "other", "--port", running["port"])
    assert code == 2
    assert f"is taken by the vatra server of another home ({running['home']})" in errors


def test_port_of_running_services_does_not_change(running: Any) -> None:
    code, _, errors = vatra("up", "--home", running["home"], "--port", free_port(), **running["login"])
    assert (code, "runs already, on port" in errors) == (2, True)


def test_frozen_server_is_replaced(running: Any) -> None:
    old = psutil.Process(running["told"]["server"]["pid"])
    old.send_signal(signal.SIGSTOP)
    code, out, errors = vatra("up", "--home", running["home"], "--json", **running["login"])
    assert code == 0, errors
    told = json.loads(out.splitlines()[-1])
    assert "does not answer" in errors
    assert mark_process(old.pid) is None
    assert told["api"] == running["told"]["api"]
    running["told"] = told


def test_moved_home(running: Any) -> None:
    old = [psutil.Process(running["told"][name]["pid"]) for name in ("server", "worker")]
    elsewhere = running["home"].with_name("elsewhere")
    running["home"].rename(elsewhere)
    code, out, _ = vatra("status", "--home", elsewhere, **running["login"])
    assert (code, "the home was moved since `vatra up`" in out) == (0, True)
    code, out, errors = vatra("up", "--home", elsewhere, "--json", **running["login"])
    assert code == 0, errors
    assert "this home was moved" in errors
    assert [mark_process(process.pid) for process in old] == [None, None]
    told = json.loads(out.splitlines()[-1])
    assert told["home"] == str(elsewhere)
    kill(psutil.Process(told["worker"]["pid"]))
    code, out, _ = vatra("status", "--home", elsewhere, **running["login"])
    assert "Worker   none: `vatra up` starts one" in out
    code, out, errors = vatra("down", "--home", elsewhere, **running["login"])
    assert code == 0, errors
    assert mark_process(told["server"]["pid"]) is None
    assert vatra("down", "--home", elsewhere)[1] == "Nothing was running.\n"


def test_worker_that_does_not_come_up(tmp_path: Path) -> None:
    """Whatever keeps it: here a module of its own name in its way. Nothing is left half started."""
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import sys\nif 'worker' in sys.orig_argv: raise SystemExit('no worker today')\n", "utf-8"
    )
    home = tmp_path / "home"
    code, _out, errors = vatra("up", "--home", home, "--port", free_port(), "--json", PYTHONPATH=str(broken))
    assert code == 1
    assert "the worker did not" in errors
    assert "home-worker.log" in errors
    assert "no worker today" in (home / "prefect/home-worker.log").read_text("utf-8")
    found = read_services(Home(home))
    assert found is not None
    assert (found.server, found.worker) == (None, None)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", found.port)) != 0
