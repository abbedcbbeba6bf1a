"""How units are computed: here, or in worker processes that die with their parent. Results never depend on it."""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import pyarrow as pa
from pydantic import BaseModel

from schemas.errors import StageFailed
from schemas.manifest import PartRecord
from schemas.parts import Part
from schemas.tables import SCHEMAS
from storage.failpoints import reach
from storage.stages import Stage, Unit
from storage.store import Store

#: Below this many bytes of input a worker process costs more than it brings.
WORKER_PAYS_OFF = 16 << 20

_advance: ContextVar[Callable[[float], None] | None] = ContextVar("advance", default=None)


@dataclass(frozen=True)
class Job:
    """All that a worker needs to compute units of one stage."""

    store: Store
    stage: Stage
    settings: BaseModel
    context: Any
    staging: str


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
        records.append(_write(job, f"{number}-{index}", part))
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
