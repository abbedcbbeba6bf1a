"""Plans and manifests of builds written by hand, for tests of what is read from them alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.ids import canonical_json, hash_fields
from schemas.manifest import BuildRecord, Manifest
from schemas.settings import BuildSettings
from storage.store import Store

STAGES = ("parse", "reconcile", "score", "filter", "assemble", "dedup", "label", "mix")


def summaries(messages: int, masked: int, dropped: Mapping[str, int]) -> dict[str, dict[str, int]]:
    """Manifest summaries by stage, balanced: half of the messages are the assistant's."""
    aside = {f"set_aside:{reason}": count for reason, count in dropped.items()}
    left = messages - masked - sum(dropped.values())
    chats = messages // 4
    return {
        "parse": {
            "seen": chats + 2, "rows:conversations": chats, "rows:messages": messages, "role:user": messages // 2,
            "role:assistant": messages - messages // 2, "set_aside:empty": 1, "set_aside:failed": 1,
        },
        "reconcile": {"current": chats, "set_aside:superseded": 0},
        "score": {"rows:signals": messages},
        "filter": {"kept": left, "masked": masked} | aside,
        "assemble": {"trained": left // 2, "context": left - left // 2, "masked": masked} | aside,
        "dedup": {"keepers": chats},
        "label": {"rows:labels": chats, "method:unassigned": chats},
        "mix": {"rows:train": chats - 2, "rows:validation": 1, "rows:test": 1},
    }  # fmt: skip


def put_build(
    store: Store,
    build: str,
    created: str = "2026-11-21T09:47:59+00:00",
    found: Mapping[str, Mapping[str, int]] | None = None,
    planned: tuple[str, ...] = STAGES,
    **more: Any,
) -> BuildRecord:
    """A build's plan, and the manifests of the stages in `found` (default: all that are planned)."""
    found = summaries(400, 20, {"too_short": 12, "superseded": 4}) if found is None else found
    record = BuildRecord(
        build=build,
        created=created,
        parent=more.get("parent"),
        settings=BuildSettings().model_dump(mode="json"),
        inputs=(),
        skipped=(),
        stages={stage: hash_fields(build, stage) for stage in planned},
    )
    assert store.put_if_absent(f"builds/{build}.json", canonical_json(record.model_dump()))
    for stage in planned:
        if stage in found:
            put_manifest(store, stage, record.stages[stage], found[stage])
    return record


def put_manifest(store: Store, stage: str, mark: str, summary: Mapping[str, int]) -> None:
    made = Manifest(
        stage=stage, version=1, fingerprint=mark, settings={}, libraries={}, inputs={}, parts=(), summary=dict(summary)
    )  # fmt: skip
    store.put_if_absent(f"datasets/{stage}/{mark}/manifest.json", canonical_json(made.model_dump()))
