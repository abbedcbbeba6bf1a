"""The catalogue of builds: `builds/<build>.json`, written before any work is done and never changed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from pydantic import ValidationError

from schemas.errors import StoreError, UsageError
from schemas.ids import canonical_json
from schemas.manifest import BuildRecord
from storage.datasets import dataset_folder
from storage.store import Store


def new_build_id(now: datetime | None = None) -> str:
    """A name that sorts by time: `20261120-183005-4f2a`."""
    return f"{now or datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def write_build(store: Store, record: BuildRecord) -> None:
    """Put a build's plan. Raises StoreError when the name is taken."""
    if not store.put_if_absent(_path(record.build), canonical_json(record.model_dump())):
        raise StoreError(
            "a build of this name stands already", where=record.build, fix="Run the command again."
        )


def read_build(store: Store, build: str, stage: str = "parse") -> BuildRecord:
    """A build's plan by id, or `latest`: the newest in which `stage` stands. Raises UsageError when there is none."""
    if build == "latest":
        return latest_build(store, stage)
    try:
        return BuildRecord.model_validate_json(store.read(_path(build)))
    except FileNotFoundError:
        known = list_builds(store)[:5]
        fix = (
            f"The newest are: {', '.join(known)}." if known else "There is none yet: run `vatra build PATH`."
        )
        raise UsageError(f"no build is called {build!r}", fix=fix) from None
    except ValidationError:
        raise StoreError("a build's plan is damaged", where=_path(build), fix="Delete this file.") from None


def list_builds(store: Store) -> list[str]:
    """Ids of all builds, newest first."""
    return sorted((name.removesuffix(".json") for name in store.names("builds")), reverse=True)


def latest_build(store: Store, stage: str) -> BuildRecord:
    """The newest build in which `stage` stands. Raises UsageError when there is none."""
    for build in list_builds(store):
        record = read_build(store, build)
        if stands(store, record, stage):
            return record
    raise UsageError(f"there is no build yet in which {stage} is done", fix="Run `vatra build PATH` first.")


def stands(store: Store, record: BuildRecord, stage: str) -> bool:
    """Whether a stage of the build has been published."""
    mark = record.stages.get(stage)
    return mark is not None and store.exists(f"{dataset_folder(stage, mark)}/manifest.json")


def _path(build: str) -> str:
    return f"builds/{build}.json"
