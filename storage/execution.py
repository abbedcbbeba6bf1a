"""How units are computed: here, in worker processes that die with their parent, or on a Ray cluster.

Results never depend on it. On one machine this is a pool of processes and not Daft's class UDF, which spreads calls as
well, at about the same cost, but fails otherwise: an error comes out as a RuntimeError that has lost its kind, its text
is logged on the way, and after Ctrl-C or the death of this process a worker first finishes the unit that it has begun.
On a cluster (`DAFT_RUNNER=ray`) there is no parent to die with, and the UDF does it: storage/cluster.py.
"""

from __future__ import annotations

import multiprocessing
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib import metadata
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from schemas.errors import StageFailed, StoreError
from schemas.manifest import PartRecord
from schemas.parts import Part
from schemas.tables import SCHEMAS
from storage import cluster
from storage.failpoints import reach
from storage.stages import Stage, Unit, library_versions
from storage.store import Store

#: Below this many bytes of input a worker process costs more than it brings.
WORKER_PAYS_OFF = 16 << 20

#: Lies in a run's staging folder, so that a node can tell whether it sees the store.
_HERE = "here"
_ATTEMPTS = 3

_advance: ContextVar[Callable[[float], None] | None] = ContextVar("advance", default=None)


@dataclass(frozen=True)
class Job:
    """All that a worker needs to compute units of one stage."""

    store: Store
    stage: Stage
    settings: BaseModel
    context: Any
    staging: str
    writer: str = ""  # in the names of staged parts, where a unit may be computed twice


def advance(fraction: float) -> None:
    """Called by stage functions that know how far they are: the share of their unit done since the last call."""
    hook = _advance.get()
    if hook is not None:
        hook(fraction)


@contextmanager
def _advancing(hook: Callable[[float], None]) -> Iterator[None]:
    token = _advance.set(hook)
    try:
        yield
    finally:
        _advance.reset(token)


def run_units(
    job: Job, units: Sequence[tuple[int, Unit]], workers: int, on_bytes: Callable[[float], None]
) -> Iterator[tuple[int, list[PartRecord]]]:
    """Compute numbered units; yields (number, staged parts) as they are finished, in any order.

    `on_bytes` hears of progress within a unit, in bytes of its size, where the unit is computed in this process.
    """
    if units and cluster.is_chosen():
        cpus = cluster.join()  # before a corpus stage asks Daft for anything, too
        if job.stage.kind == "row" and len(units) > 1:
            yield from cluster.spread(_OnNode.of(job, units), [number for number, _ in units], cpus)
            return
    if workers < 2 or len(units) < 2 or sum(unit.size for _, unit in units) < WORKER_PAYS_OFF:
        for number, unit in units:
            with _advancing(partial(_scaled, on_bytes, unit.size)):
                records = compute_unit(job, number, unit)
            yield number, records
        return
    pool = ProcessPoolExecutor(
        min(workers, len(units)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(os.getpid(),),
    )
    try:
        futures = {pool.submit(compute_unit, job, number, unit): number for number, unit in units}
        for future in as_completed(futures):
            yield futures.pop(future), future.result()
    except BrokenProcessPool:
        raise StageFailed(
            "a worker process died (the system may be out of memory)",
            where=job.stage.name,
            fix="Run the same command again, with --workers 1 if memory is short; finished parts are kept.",
        ) from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass
class _OnNode:
    """Computes units by number in a process of the cluster, once it is known that this process may."""

    job: Job
    units: dict[int, Unit]
    libraries: dict[str, str]
    checked: bool = False

    @classmethod
    def of(cls, job: Job, units: Sequence[tuple[int, Unit]]) -> _OnNode:
        job.store.put_if_absent(f"{job.staging}/{_HERE}", b"")
        return cls(job, dict(units), _libraries(job.stage))

    def __call__(self, number: int) -> list[PartRecord]:
        if not self.checked:
            self._check()
            # A unit whose node was lost is computed again elsewhere, and the lost one may live: names of one's own.
            self.job = replace(self.job, writer=f"{secrets.token_hex(4)}-")
            self.checked = True
        self._count_attempt(number)
        return compute_unit(self.job, number, self.units[number])

    def _count_attempt(self, number: int) -> None:
        """Ray starts a process that died anew, without end. Raises StageFailed for a unit that has killed enough."""
        marks = (f"{self.job.staging}/attempt-{number}-{attempt}" for attempt in range(_ATTEMPTS))
        if not any(self.job.store.put_if_absent(mark, b"") for mark in marks):
            raise StageFailed(
                f"a worker process died {_ATTEMPTS} times at the same unit (its node may be out of memory)",
                where=self.job.stage.name,
                fix="Give the nodes more memory, and run the same command again; finished parts are kept.",
            )

    def _check(self) -> None:
        """Raises StoreError where this node does not see the store, StageFailed where it has other libraries."""
        if not self.job.store.exists(f"{self.job.staging}/{_HERE}"):
            raise StoreError(
                "a node of the cluster does not see the store",
                where=f"{self.job.store.url} on {socket.gethostname()}",
                fix="VATRA_STORE must be a URL such as s3://bucket/folder, or a folder that all nodes have mounted.",
            )
        for name, version in _libraries(self.job.stage).items():
            if version != self.libraries[name]:
                raise StageFailed(
                    f"a node of the cluster has {name} {version}, and this machine {self.libraries[name]}",
                    where=socket.gethostname(),
                    fix="Install the same versions on every node: results must not depend on where they are made.",
                )


def _libraries(stage: Stage) -> dict[str, str]:
    """What must be the same wherever a unit is computed: parts are bytes that pyarrow writes."""
    return {**library_versions(stage), "pyarrow": metadata.version("pyarrow")}


def _scaled(on_bytes: Callable[[float], None], size: int, fraction: float) -> None:
    on_bytes(fraction * size)


def compute_unit(job: Job, number: int, unit: Unit) -> list[PartRecord]:
    """Run the stage's function on one unit and write its parts under staged names."""
    # Arrow's own allocator keeps what it has freed, beside what Python keeps: with the system's, both share it.
    # Measured on a 150 MB export: peak memory of parse falls from 165 to 100 MB over the imports.
    pa.set_memory_pool(pa.system_memory_pool())
    arguments = [unit.payload.open(job.store), job.settings]
    if job.stage.resource is not None:
        arguments.append(_resource(job.stage.resource, _Means(job.settings, job.context)))
    records = []
    for index, part in enumerate(job.stage.function(*arguments)):
        records.append(_write(job, f"{job.writer}{number}-{index}", part))
        del part  # or two parts are alive while the next one is made
        pa.default_memory_pool().release_unused()  # what was freed goes back to the system, not to fragments
        reach("part-written")
    return records


def _write(job: Job, name: str, part: Part) -> PartRecord:
    files = {}
    for table, data in part.tables.items():
        if not data.schema.equals(SCHEMAS[table]):
            raise AssertionError(f"{job.stage.name}: table {table} does not have its schema")
        files[table] = job.store.write_table(job.staging, f"{name}-{table}.parquet", data)
    return PartRecord(tables=files, tally=dict(part.tally), label=part.label)


class _Means:
    """What a resource is built from, usable as a cache key whatever is in it."""

    def __init__(self, settings: BaseModel, context: Any) -> None:
        self.settings, self.context = settings, context
        self._identity = f"{settings!r} {context!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Means) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)


@cache
def _resource(factory: Callable[[Any, Any], Any], means: _Means) -> Any:
    """A model is built once per process and kept."""
    return factory(means.settings, means.context)


def _start_worker(parent: int) -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    """Leave when the parent is gone: nobody would collect the result."""
    gone = threading.Event()
    while os.getppid() == parent:
        gone.wait(0.5)
    os._exit(1)
