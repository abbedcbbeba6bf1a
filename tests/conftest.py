"""For all tests: the data shared with the project's builders, and what may run at the same time."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("house", deadline=None)  # how long an example takes is the machine's matter
settings.load_profile("house")

if (
    signal.getsignal(signal.SIGINT) is signal.SIG_IGN
):  # so it is behind an `&`; what tests start must hear a Ctrl-C
    signal.signal(signal.SIGINT, signal.default_int_handler)

if (
    signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
):  # so it is under nohup, and what tests start inherits it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

#: Files that one process runs, one after another: those over one costly fixture, and those that start a Ray cluster,
#: which takes all cores. Any other file is run as a whole by whichever process is free.
TOGETHER = {
    "tests/flows/test_diff.py": "looked",
    "tests/flows/test_dry_run.py": "looked",
    "tests/flows/test_explain.py": "looked",
    "tests/flows/test_cluster.py": "cluster",
    "tests/storage/test_cluster.py": "cluster",
    "tests/models/tribal/test_explaining.py": "nova",
    "tests/models/tribal/test_generating.py": "nova",
    "tests/models/tribal/test_quantising.py": "nova",
    "tests/models/tribal/test_steering.py": "nova",
}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """How pytest-xdist hands out the tests, where it is asked to (`make test`)."""
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return TOGETHER.get(file, file)

    return Together(config, log)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real exports and public sets; tests that need them are skipped where they are missing."""
    folder = Path(os.environ.get("VATRA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    if not (folder / "data").is_dir():
        pytest.skip("the shared sample data is not on this machine (VATRA_SHARED)")
    return folder
