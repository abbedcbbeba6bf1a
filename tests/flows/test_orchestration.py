"""No run is lost or stuck: real server, worker and flow processes, killed at bad moments.

One server for the module. Each test leaves the services running and nothing under way.
"""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from storage.home import Home
from tests.flows.services import SETTINGS, Place, datasets, free_port, kill, services_of, start_vatra, until

MIDDLE = "part-published:3:stop"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Services that two `vatra up` started at the same time: there is one set of them."""
    home, port = Home(tmp_path_factory.mktemp("services") / "home"), free_port()
    both = [start_vatra("up", "--home", home.path, "--port", port, "--json") for _ in range(2)]
    told = []
    for process in both:
        out, errors = process.communicate(timeout=180)
        assert process.returncode == 0, errors
        told.append(json.loads(out.splitlines()[-1]))
    assert told[0]["server"] == told[1]["server"]
    assert told[0]["worker"] == told[1]["worker"]
    assert sorted(len(one["started"]) for one in told) == [0, 3]
    with services_of(home, port) as found:
        yield found


@pytest.fixture
def up(place: Place) -> Iterator[Place]:
    """Services up again whatever the test before did to them, and no dataset of it left."""
    for folder in ("datasets", "scores"):
        shutil.rmtree(place.home.path / folder, ignore_errors=True)
    if not (place.services.server_runs and place.services.worker_runs):
        bring_up(place)
    yield place
    assert place.sweep(datetime.now(UTC) + timedelta(days=2)).changed == 0, "a run was left under way"


def bring_up(place: Place) -> None:
    process = start_vatra("up", "--home", place.home.path)
    _out, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors


def now() -> datetime:
    return datetime.now(UTC)


def finishes_as_undisturbed(place: Place, built: Any, run: Any) -> None:
    done = place.reaches(run, "COMPLETED", "FAILED", "CRASHED")
    assert done.state_type.value == "COMPLETED", done.state.message
    ours, reference = datasets(place.home.path), datasets(built.home)
    assert {name: reference.get(name) for name in ours} == ours
    assert any(name.startswith("mix/") for name in ours)


def test_flow_killed(up: Place, built: Any) -> None:
    run = up.build("part-published:3")
    up.reaches(run, "CRASHED")
    assert up.open_tasks(run), "Prefect closes tasks of a crashed run by now: this part of the sweep can go"
    assert up.sweep(now()).tasks == 1
    assert up.open_tasks(run) == []
    finishes_as_undisturbed(up, built, up.build())


def test_worker_killed_and_the_flow_goes_on(up: Place, built: Any) -> None:
    run = up.build(MIDDLE)
    flow = up.frozen(run)
    up.kill_worker()
    assert up.sweep(now() + timedelta(days=2)).changed == 0, (
        "its process is there: nobody may call it crashed"
    )
    bring_up(up)
    flow.send_signal(signal.SIGCONT)
    finishes_as_undisturbed(up, built, run)


def test_worker_and_flow_killed(up: Place, built: Any) -> None:
    run = up.build(MIDDLE)
    kill(psutil.Process(up.services.worker.mark.pid), up.frozen(run))
    assert up.state(run) == "RUNNING"
    swept = up.sweep(now())
    assert (swept.crashed, swept.tasks) == (1, 1)
    assert up.state(run) == "CRASHED"
    bring_up(up)
    finishes_as_undisturbed(up, built, up.build())


def test_killed_while_pending(up: Place, built: Any) -> None:
    """The run holds the only slot of the nightly deployment, and has not begun."""
    inbox = up.home.path / "inbox"
    inbox.mkdir(exist_ok=True)
    (inbox / "a").unlink(missing_ok=True)
    worker = psutil.Process(up.services.worker.mark.pid)
    run = up.build(deployment="build-corpus/nightly")
    until(lambda: up.state(run) == "PENDING", "the worker claims the run")
    kill(*worker.children(recursive=True), worker)
    assert up.state(run) == "PENDING"
    assert up.sweep(now()).changed == 0, "it may still be about to begin"
    assert up.sweep(now() + timedelta(minutes=6)).rescheduled == 1
    assert up.state(run) == "SCHEDULED"
    bring_up(up)
    finishes_as_undisturbed(up, built, run)
    again = up.build(deployment="build-corpus/nightly")
    assert up.reaches(again, "COMPLETED", "FAILED").state_type.value == "COMPLETED", "a slot was lost"


def test_server_restarted_in_the_middle(up: Place, built: Any) -> None:
    run = up.build(MIDDLE)
    flow = up.frozen(run)
    worker = up.services.worker
    kill(psutil.Process(up.services.server.mark.pid))
    bring_up(up)
    assert up.services.worker == worker, "it finds the new server by itself"
    flow.send_signal(signal.SIGCONT)
    finishes_as_undisturbed(up, built, run)


def test_command_is_never_taken_for_dead(up: Place, built: Any) -> None:
    """A `vatra build` sends no heartbeats, and may take days."""
    given = ["build", "examples", "--home", up.home.path, "--json"]
    for key, value in (("toxicity.scorer", "profanity"), ("mix.validation", "0.1"), ("mix.test", "0.1")):
        given += ["--set", f"{key}={value}"]
    process = start_vatra(*given, VATRA_FAILPOINT=MIDDLE)
    until(lambda: psutil.Process(process.pid).status() == psutil.STATUS_STOPPED, "the build stands still")
    assert up.sweep(now() + timedelta(days=2)).changed == 0
    down = start_vatra("down", "--home", up.home.path)
    _out, errors = down.communicate(timeout=180)
    assert (down.returncode, "a command is at work on this server" in errors) == (1, True)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert up.sweep(now()).crashed == 1
    finishes_as_undisturbed(up, built, up.build())


def test_training_is_handed_over_with_the_fingerprint(up: Place, tmp_path: Path) -> None:
    """Presets of one's own, with a change: what the form offers and what a build hands over are one language."""
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "description: x\nbase: {kind: built, layers: 1}\ntarget_modules: [q_proj]\nmax_steps: 2\n"
    )
    changes = {"packing": True, "max_steps": 1, "base": {"heads": 2}}
    tiny = {"vocab_size": 400, "layers": 1, "d_model": 32, "heads": 2, "max_length": 64, "max_steps": 2}
    trained = {"lora": str(mine), "lora_changes": changes, "tribal": "nova-tiny", "tribal_changes": tiny}
    settings = SETTINGS | {"train": trained}
    run = up.reaches(up.build(settings=settings), "COMPLETED", "FAILED")
    names = run.state.message.partition("handed over to the run ")[2].partition(".")[0].split(" and the run ")
    started = {one.name: one for one in up.client.read_flow_runs() if one.name in names}
    training, tribal = (started[name] for name in names)
    (corpus,) = (path.name for path in (up.home.path / "datasets/mix").iterdir())
    assert tribal.parameters == {"corpus": corpus, "preset": "nova-tiny", "changes": tiny}
    changed = {**changes, "packing": "on"}
    assert training.parameters == {"corpus": corpus, "preset": str(mine), "changes": changed}
    pages = [page.read_text("utf-8") for page in (up.home.path / "reports").glob("2*.html")]
    for name, one in started.items():
        assert sum(f"flow run {name}" in page for page in pages) == 1
        assert one.work_queue_name == "gpu"
        done = up.reaches(one, "COMPLETED", "FAILED", "CRASHED")
        assert done.state_type.value == "COMPLETED", done.state.message
    for stage in ("train-lora", "train-tribal"):
        assert len(list((up.home.path / "artifacts" / stage).iterdir())) == 1


def test_silence_is_noticed_by_the_automation(up: Place) -> None:
    """The real one, waited out: nobody sweeps."""
    from flows.watching import SILENCE

    run = up.build(MIDDLE)
    kill(psutil.Process(up.services.worker.mark.pid), up.frozen(run))
    crashed = up.reaches(run, "CRASHED", within=SILENCE.total_seconds() + 60)
    assert "fell silent" in crashed.state.message
    assert up.sweep(now()).tasks == 1
