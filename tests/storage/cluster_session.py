"""One session on a Ray cluster of this machine, as a program of its own: what crosses from its workers, as JSON.

DAFT_RUNNER=ray python -m tests.storage.cluster_session FOLDER
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.errors import InputError
from schemas.parts import Part
from schemas.tables import MIXTURE
from storage import cluster
from storage.execution import Job, _OnNode, run_units
from storage.stages import Given, Stage, Unit
from storage.store import Store
from tests.storage.toy_stage import ToySettings

SECRET = "Ce mi-a spus Ana aseară"


class Unportable(Exception):
    """Cannot be pickled: it holds a lambda."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.hook = lambda: text


def double(number: int) -> tuple[int, int]:
    return 2 * number, os.getpid()


def refuse(number: int) -> int:
    if number == 3:
        raise InputError("nothing in it", where="a.json", fix="Take another.")
    return number


def stumble(number: int) -> int:
    if number == 3:
        raise ValueError(SECRET)
    return number


def stumble_unportably(number: int) -> int:
    raise Unportable(f"{SECRET} {number}")


def die_once(marker: str, number: int) -> int:
    """The process that first meets 2 dies as if it had been killed."""
    if number == 2:
        try:
            os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return number
        os._exit(9)
    return number


def rows(number: int, settings: ToySettings) -> Iterator[Part]:
    yield Part({"mixture": pa.Table.from_pylist([], schema=MIXTURE)}, {"made": number})


def die_always(number: int, settings: ToySettings) -> Iterator[Part]:
    if number == 1:
        os._exit(9)
    yield from rows(number, settings)


def outcome(work: Callable[[int], Any], cpus: int, calls: int = 6) -> dict[str, Any]:
    try:
        return {"results": sorted(cluster.spread(work, range(calls), cpus))}
    except Exception as error:  # noqa: BLE001 - told to the test
        return {"error": type(error).__name__, "text": str(error), "cause": str(error.__cause__)}


def on_another_disk(store: Store, stage: Stage) -> Job:
    """A job whose staging folder only the driver has seen: its marker is gone when the workers look."""
    job = Job(store, stage, ToySettings(), None, ".staging/gone")
    units = [(number, Unit((str(number),), Given(number))) for number in range(2)]
    work = _OnNode.of(job, units)
    store.remove(".staging/gone/here")
    return work


def main(folder: Path) -> None:
    cpus = cluster.join()
    session = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent
    store = Store(str(folder / "store"))
    stage = Stage("toy", 1, "row", "rows", rows, libraries=("numpy",))
    unseen = on_another_disk(store, stage)
    with store.staging() as staging:
        job = Job(store, stage, ToySettings(), None, staging)
        units = [(number, Unit((str(number),), Given(number))) for number in range(6)]
        made = sorted((n, [r.tally for r in records]) for n, records in run_units(job, units, 1, print))
        worst = replace(job, stage=replace(stage, function=die_always), staging=f"{staging}/worst")
        fatal = _OnNode.of(worst, units[:2])
        other = replace(_OnNode.of(job, units), libraries={"numpy": "0.1", "pyarrow": "0.1"})
        told = {
            "fatal": outcome(fatal, cpus, 2),
            "cpus": cpus,
            "session": str(session),
            "private": oct(session.stat().st_mode & 0o777),
            "double": outcome(double, cpus),
            "refuse": outcome(refuse, cpus),
            "stumble": outcome(stumble, cpus),
            "unportable": outcome(stumble_unportably, cpus),
            "die_once": outcome(partial(die_once, str(folder / "died")), cpus),
            "unseen": outcome(unseen, cpus),
            "other": outcome(other, cpus),
            "made": made,
        }
    told["quoted"] = [
        str(path) for path in session.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
