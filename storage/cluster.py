"""A Ray cluster: joined when `DAFT_RUNNER=ray` asks for it, and calls spread over it through Daft.

Corpus stages are Daft queries, which run on the cluster as they are. Row stages are spread here: a Daft class UDF over
a table of numbers, in batches of one, as many at once as the cluster has CPUs. What a worker computes crosses as a
small value; what it raises does so too, since Ray and Daft write the text of an exception into their logs, and that of
a bug may quote a chat.

`RAY_ADDRESS` names the cluster. Without it Ray is started here, on 127.0.0.1 and without its dashboard; its session
lies in a folder that only its owner may open, and that is removed at the end.
"""

from __future__ import annotations

import atexit
import logging
import os
import pickle
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import StageFailed, UsageError

#: Nobody is told of what is run, and no progress bar but ours is shown. Set before Daft or Ray is imported.
_QUIET = {
    "DO_NOT_TRACK": "1",
    "DAFT_ANALYTICS_ENABLED": "0",
    "DAFT_PROGRESS_BAR": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
#: Ray binds to the machine's outward address, even when told otherwise, unless clusters are off.
_LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
_HERE = "local"
_JOIN_FIX = "Set RAY_ADDRESS to the head's address, or unset DAFT_RUNNER to work on this machine alone."

Result = TypeVar("Result")


def is_chosen() -> bool:
    """Whether the environment asks for Ray, by the name that Daft itself reads."""
    return os.environ.get("DAFT_RUNNER", "").lower() == "ray"


def join() -> int:
    """Be connected to the cluster; returns how many CPUs it has.

    Raises UsageError where Ray is not installed, or the cluster cannot be reached.
    """
    for name, value in (_QUIET | (_LOOPBACK if _address() == _HERE else {})).items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ImportError:
        raise UsageError(
            "DAFT_RUNNER=ray needs Ray, which is not installed",
            where="DAFT_RUNNER",
            fix="Run `pip install 'vatra[cluster]'`, or unset DAFT_RUNNER to work on this machine alone.",
        ) from None
    if not ray.is_initialized():
        with _signals_kept():
            _connect(ray)
        # Ray tells of dead processes on standard output, in spite of log_to_driver; there is no public way to stop it.
        ray._private.worker._worker_logs_enabled = False
    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def spread(work: Callable[[int], Result], numbers: Sequence[int], cpus: int) -> Iterator[tuple[int, Result]]:
    """Call `work` with each number on the cluster; yields (number, result) as they come, in any order.

    `work` is pickled once per worker process, which keeps it. A call whose process died is made again in another.
    Raises what `work` raises, and StageFailed when the cluster starts no more processes.
    """
    import daft
    import ray

    logging.getLogger("daft").setLevel(logging.CRITICAL)  # it would tell of every failure in words of its own
    worker = _worker_class(min(cpus, len(numbers)))(work)
    calls = daft.from_pydict({"number": list(numbers)}).into_batches(1)
    answers = calls.select(worker.call(daft.col("number")).alias("answer"))
    try:
        for row in answers.iter_rows():
            answer: _Answer = row["answer"]
            if answer.error is not None:
                raise answer.error from _Remote(answer.trace)
            yield answer.number, answer.result
    except (ray.exceptions.RayError, daft.exceptions.DaftCoreException) as error:
        raise StageFailed(
            f"the cluster gave up on a worker ({type(error).__name__})",
            where=os.environ.get("RAY_ADDRESS"),
            fix="Look at its nodes and their memory, and run the same command again; finished parts are kept.",
        ) from None


@dataclass(frozen=True)
class _Answer:
    """What came of one call, as a value."""

    number: int
    result: Any = None
    error: BaseException | None = None
    trace: str = ""


class _Remote(Exception):
    """The traceback of another process, shown above one's own."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def _worker_class(processes: int) -> Any:
    """What stands in a worker process of the cluster and calls the work that it was started with."""
    import daft

    @daft.cls(max_concurrency=processes)
    class Worker:
        def __init__(self, work: Callable[[int], Any]) -> None:
            self._work = work

        @daft.method.batch(return_dtype=daft.DataType.python())  # type: ignore[untyped-decorator]
        def call(self, numbers: Any) -> list[_Answer]:
            return [_answer(self._work, number) for number in numbers.to_pylist()]

    return Worker


def _answer(work: Callable[[int], Any], number: int) -> _Answer:
    try:
        return _Answer(number, work(number))
    except Exception as error:  # noqa: BLE001 - whatever it is crosses as a value and is raised on the other side
        trace = f"on {socket.gethostname()}:\n{''.join(traceback.format_exception(error))}"
        return _Answer(number, error=_portable(error), trace=trace)


def _portable(error: Exception) -> Exception:
    """The error itself where it survives pickling; else one that says only its kind."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - pickling runs whatever code the exception's class has
        return RuntimeError(type(error).__name__)
    return error


def _connect(ray: Any) -> None:
    address = _address()
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": True}
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    try:
        if address == _HERE:
            _start_here(ray, quiet)
        else:
            _knock(address)
            ray.init(address=address, **quiet)
    except Exception as error:  # noqa: BLE001 - Ray raises Exception itself when a start takes it too long
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UsageError(
            f"the Ray cluster cannot be joined: {reason}", where=address, fix=_JOIN_FIX
        ) from None


def _address() -> str:
    return os.environ.get("RAY_ADDRESS") or _HERE


def _knock(address: str) -> None:
    """Whether anybody is there at all: Ray itself would try for two minutes. Raises OSError."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=10).close()


def _start_here(ray: Any, quiet: dict[str, Any]) -> None:
    folder = tempfile.mkdtemp(prefix="vatra-ray-")  # short: the paths of sockets have a limit
    token = Path(folder, "token")  # which Ray would leave in the user's home otherwise
    token.write_text(secrets.token_hex(32))
    os.environ.setdefault("RAY_AUTH_TOKEN_PATH", str(token))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(ray.shutdown)  # runs before the folder goes
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    ray.init(
        address=_HERE,
        num_cpus=cpus,
        include_dashboard=False,
        _temp_dir=f"{folder}/ray",  # which Ray opens to everybody; the folder around it stays shut
        **quiet,
    )


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM: the command's is put back."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
