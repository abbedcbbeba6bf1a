"""The catalogue of builds: `builds/<build>.json`, written before any work is done and never changed."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Set
from datetime import UTC, datetime

from pydantic import ValidationError

from schemas.errors import StoreError, UsageError
from schemas.ids import canonical_json
from schemas.manifest import BuildRecord
from schemas.settings import BuildSettings, settings_error
from storage.artifacts import artifact_folder
from storage.datasets import dataset_folder
from storage.store import Store

_LATEST = re.compile(r"latest(?:~(\d{1,6}))?")
#: The stages that may be done by another run than the build's own.
TRAININGS = frozenset({"train-lora", "train-tribal"})


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
    """A build's plan by id, or `latest`: the newest in which `stage` stands; `latest~1` is the one before it.

    Raises UsageError when there is none.
    """
    if named := _LATEST.fullmatch(build):
        return latest_build(store, stage, int(named[1] or 0))
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


def settings_of(record: BuildRecord) -> BuildSettings:
    """The settings that a build was planned with. Raises StoreError when this version does not know them any more."""
    try:
        return BuildSettings.model_validate(record.settings)
    except ValidationError as error:
        reason = settings_error(error, BuildSettings, "its plan").what
        raise StoreError(
            f"the build was planned by another version of vatra ({reason})",
            where=record.build,
            fix="Build its exports anew with `vatra build`.",
        ) from None


def list_builds(store: Store) -> list[str]:
    """Ids of all builds, newest first."""
    names = (name.removesuffix(".json") for name in store.names("builds") if name.endswith(".json"))
    return sorted(names, reverse=True)


def latest_build(store: Store, stage: str, back: int = 0) -> BuildRecord:
    """The newest build that has `stage` and in which all that was planned stands, or the one `back` such before it.

    A build that failed is not what a person means by the latest: its settings may be why it failed. Its corpus
    counts even so when only a training is missing: a worker may still be at it. Raises UsageError.
    """
    found = 0
    for record in standing_builds(store, but_for=TRAININGS - {stage}):
        if stage in record.stages:
            if found == back:
                return record
            found += 1
    if found:
        raise UsageError(
            f"there is no latest~{back}: {found} {'build' if found == 1 else 'builds'} with {stage} stand",
            where=store.url,
            fix="Count from the newest: latest, latest~1, ...",
        )
    _refuse_halves(store, stage)
    raise UsageError(
        f"there is no build yet in which {stage} is done",
        where=store.url,
        fix="Run `vatra build PATH` first, or name another home with --home.",
    )


def _refuse_halves(store: Store, stage: str) -> None:
    """Raises UsageError that names what is gone, when `stage` does stand in a build."""
    for build in list_builds(store):
        record = read_build(store, build)
        if stage in record.stages and stands(store, record, stage):
            lost = next(name for name in record.stages if not stands(store, record, name))
            raise UsageError(
                f"no build with {stage} stands whole: in the newest, {build}, {lost} is not done, or gone",
                where=store.url,
                fix=f"Make it stand again with `vatra stage {lost} --build {build}`.",
            )


def standing_builds(
    store: Store,
    before: str | None = None,
    but_for: Set[str] = TRAININGS,
    past_damage: bool = False,
) -> Iterator[BuildRecord]:
    """Builds in which all that was planned stands, newest first; with `before`, only those older than that one.

    Stages in `but_for` need not stand. A plan that cannot be read is a StoreError, or passed over with `past_damage`.
    """
    for build in list_builds(store):
        if before is None or build < before:
            try:
                record = read_build(store, build)
            except StoreError:
                if not past_damage:
                    raise
                continue
            if all(stands(store, record, planned) for planned in record.stages.keys() - but_for):
                yield record


def stands(store: Store, record: BuildRecord, stage: str) -> bool:
    """Whether a stage of the build has been published, as a dataset or as an artifact."""
    mark = record.stages.get(stage)
    folders = (dataset_folder, artifact_folder)
    return mark is not None and any(
        store.exists(f"{folder(stage, mark)}/manifest.json") for folder in folders
    )


def _path(build: str) -> str:
    return f"builds/{build}.json"
