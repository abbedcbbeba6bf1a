"""A stage of about half a second, run as a program of its own so that tests can kill it.

    python tests/storage/toy_stage.py STORE [--workers N] [--units N] [--salt TEXT] [--version N] [--refuse N]

Prints {"computed", "reused", "cached", "fingerprint"} as JSON.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from schemas.errors import VatraError
from schemas.ids import hash_fields
from schemas.parts import Part
from schemas.settings.model import Settings
from schemas.summary import ExpectationResult, ValidationResult
from schemas.tables import MIXTURE
from storage.materialize import Materialized, materialize
from storage.stages import Given, Stage, Unit
from storage.store import Store

ROWS = 200


class ToySettings(Settings):
    salt: str = "a"


def work(number: int, settings: ToySettings) -> Iterator[Part]:
    """Some rows that follow from the number and the salt, after a few hundredths of a second of hashing."""
    digest = b""
    for _ in range(30_000):
        digest = hashlib.sha256(digest + settings.salt.encode()).digest()
    ids = [hash_fields(settings.salt, digest.hex(), number, row) for row in range(ROWS)]
    rows = [{"example_id": i, "phase": 1, "split": "train", "order": n} for n, i in enumerate(ids)]
    for half in (rows[: ROWS // 2], rows[ROWS // 2 :]):
        yield Part({"mixture": pa.Table.from_pylist(half, schema=MIXTURE)}, {"made": len(half)})


@dataclass(frozen=True)
class ToySuite:
    """Refuses a dataset whose summary is not whole, or any part when told to."""

    units: int
    refuse: bool = False

    def check_part(self, tables: Mapping[str, pa.Table]) -> ValidationResult:
        rule = ExpectationResult(
            name="welcome", table="mixture", success=not self.refuse, checked=ROWS, unexpected=3
        )
        return ValidationResult(stage="toy", success=not self.refuse, results=[rule])

    def check_summary(self, summary: Mapping[str, int]) -> ValidationResult:
        whole = summary["made"] == summary["rows:mixture"] == self.units * ROWS
        rule = ExpectationResult(name="whole", table="summary", success=whole, checked=1)
        return ValidationResult(stage="toy", success=whole, results=[rule])


def make(
    store: Store,
    units: int = 12,
    salt: str = "a",
    version: int = 1,
    workers: int = 1,
    refuse: bool = False,
    **more: Any,
) -> Materialized:
    stage = Stage("toy", version, "row", "rows", work)
    pieces = [Unit((f"unit {number}",), Given(number), size=16 << 20) for number in range(units)]
    return materialize(
        store,
        stage,
        ToySettings(salt=salt),
        {"units": units},
        pieces,
        ToySuite(units, refuse),
        workers=workers,
        **more,
    )


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("store")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--units", type=int, default=12)
    given = parser.parse_args()
    try:
        made = make(Store(given.store), units=given.units, workers=given.workers)
    except VatraError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    mark = made.dataset.manifest.fingerprint
    sys.stdout.write(
        json.dumps({**made.parts.model_dump(), "cached": made.cached, "fingerprint": mark}) + "\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
