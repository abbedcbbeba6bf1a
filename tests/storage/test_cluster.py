"""Work on a Ray cluster of this machine: results, errors and deaths come out as they do without one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from schemas.errors import UsageError
from storage import cluster
from tests.storage.cluster_session import SECRET
from tests.storage.test_crash import UNITS, published

ROOT = Path(__file__).resolve().parents[2]
TOY = Path(__file__).with_name("toy_stage.py")


def run(*command: object, home: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = {**ours, "HOME": str(home), "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        [sys.executable, *map(str, command)], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900
    )  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    folder, home = tmp_path_factory.mktemp("session"), tmp_path_factory.mktemp("user")
    done = run("-m", "tests.storage.cluster_session", folder, home=home, DAFT_RUNNER="ray")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 1, "Ray or Daft spoke on standard output"
    return json.loads(done.stdout), done.stdout + done.stderr, home


def test_calls_are_spread_over_processes(session: Any) -> None:
    results = session[0]["double"]["results"]
    assert [(number, double) for number, (double, _) in results] == [(n, 2 * n) for n in range(6)]
    assert len({process for _, (_, process) in results}) == min(session[0]["cpus"], 6)


def test_row_units_are_computed_there(session: Any) -> None:
    assert session[0]["made"] == [[number, [{"made": number}]] for number in range(6)]


def test_an_error_of_the_tree_keeps_its_kind_and_its_advice(session: Any) -> None:
    refused = session[0]["refuse"]
    assert refused["error"] == "InputError"
    assert refused["text"] == "nothing in it (a.json). Take another."


def test_a_bug_comes_with_its_traceback(session: Any) -> None:
    bug = session[0]["stumble"]
    assert (bug["error"], bug["text"]) == ("ValueError", SECRET)
    assert "in stumble" in bug["cause"]


def test_an_error_that_cannot_be_pickled_says_its_kind(session: Any) -> None:
    bug = session[0]["unportable"]
    assert (bug["error"], bug["text"]) == ("RuntimeError", "Unportable")
    assert "in stumble_unportably" in bug["cause"]


def test_no_log_and_no_terminal_quotes_what_was_raised(session: Any) -> None:
    told, shown, _ = session
    assert told["quoted"] == []
    assert SECRET not in shown.replace(json.dumps(told), "")
    assert "Error" not in shown.replace(json.dumps(told), "")


def test_work_of_a_process_that_died_is_done_again(session: Any) -> None:
    assert session[0]["die_once"]["results"] == [[number, number] for number in range(6)]


def test_a_unit_that_kills_every_process_ends_the_stage(session: Any) -> None:
    fatal = session[0]["fatal"]
    assert fatal["error"] == "StageFailed"
    assert "died 3 times at the same unit" in fatal["text"]


def test_a_node_that_does_not_see_the_store_says_so(session: Any) -> None:
    unseen = session[0]["unseen"]
    assert unseen["error"] == "StoreError"
    assert "does not see the store" in unseen["text"]
    assert socket.gethostname() in unseen["text"]


def test_a_node_with_other_libraries_is_refused(session: Any) -> None:
    other = session[0]["other"]
    assert other["error"] == "StageFailed"
    assert "numpy" in other["text"]
    assert "0.1" in other["text"]


def test_the_session_is_private_and_leaves_nothing_behind(session: Any) -> None:
    told, _, home = session
    assert told["private"] == "0o700"
    assert not Path(told["session"]).exists()
    assert not (home / ".ray").exists()
    left = [
        p for p in psutil.process_iter(["cmdline"]) if told["session"] in " ".join(p.info["cmdline"] or [])
    ]
    _gone, alive = psutil.wait_procs(left, timeout=30)
    assert not alive


def test_a_stage_has_the_same_bytes_on_a_cluster_also_after_a_kill(tmp_path: Path) -> None:
    stores = {name: tmp_path / name for name in ("native", "ray")}
    assert run(TOY, stores["native"], home=tmp_path).returncode == 0
    killed = run(TOY, stores["ray"], home=tmp_path, DAFT_RUNNER="ray", VATRA_FAILPOINT="unit-recorded:3")
    assert killed.returncode == -9
    assert len(list((stores["ray"] / "datasets/toy/units").iterdir())) == 3
    done = run(TOY, stores["ray"], home=tmp_path, DAFT_RUNNER="ray")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reused"] == 6
    assert json.loads(done.stdout)["computed"] == 2 * UNITS - 6
    assert published(stores["ray"]) == published(stores["native"])
    assert not any((stores["ray"] / ".staging").iterdir())


def test_ray_that_is_not_installed_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UsageError, match=r"pip install 'vatra\[cluster\]'"):
        cluster.join()


def test_a_cluster_that_nobody_answers_for_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # taken and not listening: nobody can answer there
        address = f"127.0.0.1:{unheard.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        with pytest.raises(UsageError, match="cannot be joined") as caught:
            cluster.join()
    assert caught.value.where == address


@pytest.mark.parametrize(
    ("value", "chosen"), [("ray", True), ("Ray", True), ("native", False), (None, False)]
)
def test_the_runner_is_chosen_by_dafts_own_variable(
    monkeypatch: pytest.MonkeyPatch, value: str | None, chosen: bool
) -> None:
    monkeypatch.delenv("DAFT_RUNNER", raising=False)
    if value:
        monkeypatch.setenv("DAFT_RUNNER", value)
    assert cluster.is_chosen() is chosen
