"""kill -9 at named and at random moments: nothing reads as done, and the rerun ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.datasets import find_dataset
from storage.failpoints import FAILPOINTS
from storage.store import STAGING, Store

TOY = Path(__file__).with_name("toy_stage.py")
UNITS, PARTS = 12, 24


def start(store: Path, *options: str, failpoint: str | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ} | ({"VATRA_FAILPOINT": failpoint} if failpoint else {})
    command = [sys.executable, str(TOY), str(store), *options]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finish(store: Path, *options: str) -> dict[str, object]:
    process = start(store, *options)
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    answer: dict[str, object] = json.loads(out.splitlines()[-1])
    return answer


def published(store: Path) -> dict[str, bytes]:
    """Everything that a reader may look at: names and bytes, without staging."""
    files = [path for path in store.rglob("*") if path.is_file() and STAGING not in path.parts]
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(files)}


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object], float]:
    store = tmp_path_factory.mktemp("straight")
    begun = time.monotonic()
    answer = finish(store)
    return store, answer, time.monotonic() - begun


def check_after_kill(store: Path, straight: tuple[Path, dict[str, object], float]) -> None:
    reference, answer, _ = straight
    fingerprint = str(answer["fingerprint"])
    dataset = find_dataset(Store(str(store)), "toy", fingerprint)
    if dataset is not None:
        assert all(dataset.store.digest(file.path) == file.digest for file in dataset.files("mixture"))
    units = store / "datasets/toy/units"
    remembered = 2 * len(list(units.iterdir())) if units.exists() else 0
    rerun = finish(store)
    if dataset is None:
        assert rerun == {**answer, "computed": PARTS - remembered, "reused": remembered, "cached": False}
    else:
        assert rerun["cached"] is True
    assert published(store) == published(reference)


@pytest.mark.parametrize("failpoint", [*FAILPOINTS, "part-written:9", "part-published:7", "unit-recorded:12"])
def test_named_failpoints(
    tmp_path: Path, straight: tuple[Path, dict[str, object], float], failpoint: str
) -> None:
    process = start(tmp_path, failpoint=failpoint)
    process.communicate(timeout=120)
    assert process.returncode == -9, "the failpoint was not reached"
    check_after_kill(tmp_path, straight)


@pytest.mark.parametrize("seed", range(20))
def test_random_moments(tmp_path: Path, straight: tuple[Path, dict[str, object], float], seed: int) -> None:
    moment = random.Random(seed).uniform(0.2, 1.05) * straight[2]
    process = start(tmp_path)
    try:
        process.wait(timeout=moment)
    except subprocess.TimeoutExpired:
        process.kill()
    process.communicate()
    check_after_kill(tmp_path, straight)


def test_kill_with_workers(tmp_path: Path, straight: tuple[Path, dict[str, object], float]) -> None:
    process = start(tmp_path, "--workers", "2", failpoint="unit-recorded:3")
    process.communicate(timeout=120)
    assert process.returncode == -9
    check_after_kill(tmp_path, straight)


def test_two_at_once(tmp_path: Path, straight: tuple[Path, dict[str, object], float]) -> None:
    both = [start(tmp_path), start(tmp_path)]
    for process in both:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert published(tmp_path) == published(straight[0])


def test_staging_of_the_dead_is_swept(tmp_path: Path) -> None:
    process = start(tmp_path, failpoint="part-written:3")
    process.communicate(timeout=120)
    assert any((tmp_path / STAGING).iterdir())
    finish(tmp_path)
    assert not any((tmp_path / STAGING).iterdir())


def test_full_disk_is_a_clear_error(tmp_path: Path) -> None:
    """A file size limit stands in for a full disk: the write fails in the same place with another errno."""
    code = (
        "import resource, runpy, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
        f"sys.argv=['toy', {str(tmp_path)!r}]; runpy.run_path({str(TOY)!r}, run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "cannot write to the store" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("manifest.json"))
