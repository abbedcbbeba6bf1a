"""The catalogue of builds: `builds/<build>.json`, written before any work is done and never changed."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime

from pydantic import ValidationError

from schemas.errors import StoreError, UsageError
from schemas.ids import canonical_json
from schemas.manifest import BuildRecord
from storage.artifacts import artifact_folder
from storage.datasets import dataset_folder
from storage.store import Store

#: The one stage that may be done by another run than the build's own.
TRAINING = "train-lora"


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
    """The newest build that has `stage` and in which all that was planned stands. Raises UsageError.

    A build that failed is not what a person means by the latest: its settings may be why it failed. Its corpus
    counts even so when only the training is missing: a worker may still be at it.
    """
    for build in list_builds(store):
        record = read_build(store, build)
        wanted = set(record.stages) - ({TRAINING} - {stage})
        if stage in record.stages and all(stands(store, record, planned) for planned in wanted):
            return record
    raise UsageError(
        f"there is no build yet in which {stage} is done",
        where=store.url,
        fix="Run `vatra build PATH` first, or name another home with --home.",
    )


def stands(store: Store, record: BuildRecord, stage: str) -> bool:
    """Whether a stage of the build has been published, as a dataset or as an artifact."""
    mark = record.stages.get(stage)
    folders = (dataset_folder, artifact_folder)
    return mark is not None and any(
        store.exists(f"{folder(stage, mark)}/manifest.json") for folder in folders
    )


def _path(build: str) -> str:
    return f"builds/{build}.json"
