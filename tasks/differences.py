"""Two builds of a store compared: what differs in settings, files and stages, and where every message went."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from schemas.comparison import Comparison, Level, MoveSample, StageAccount, StageChange
from schemas.errors import UsageError
from schemas.ledger import ROWS_IN, draw_ledger
from schemas.outcomes import evidence_name
from storage.artifacts import find_artifact
from storage.store import translated
from tasks.accounts import BuildTables
from tasks.comparing import (
    Difference,
    Pick,
    changed_inputs,
    changed_settings,
    compare_states,
    example_states,
    message_states,
)
from tasks.reports import render_comparison
from tasks.reports.samples import SAMPLES, content_at, cut_sample
from tasks.running import Run

#: Characters shown of a message that has no evidence to show it by.
OPENING = 160
_NARROW = {"verdicts": ["action", "reason"], "placements": ["placement", "reason"], "standing": ["current"]}


def compare_builds(
    before: Run, after: Run, stages: Sequence[str], ids: int
) -> tuple[Comparison, list[MoveSample]]:
    """The comparison of two builds, and messages that show each move. Reads ids and states; text for samples only.

    `stages` are the names of the stages in their order; each move names up to `ids` ids.
    Raises UsageError when a build has no messages yet.
    """
    tables = BuildTables(before), BuildTables(after)
    for run, found in zip((before, after), tables, strict=True):
        if not found.has("messages"):
            raise UsageError(
                f"the build {run.record.build} stopped before anything was read",
                fix="Run its command again, or name another build.",
            )
    level = common_level(*tables)
    messages = _compare_messages(before, after, tables, level, ids)
    added, removed = changed_inputs(before.record.inputs, after.record.inputs)
    comparison = Comparison(
        before=before.record.build,
        after=after.record.build,
        level=level,
        settings=changed_settings(before.record.settings, after.record.settings),
        inputs_added=added,
        inputs_removed=removed,
        stages=_stages(before, after, tables, stages),
        messages=messages.moves,
        examples=_compare_examples(tables, ids).moves,
    )
    return comparison, list(_samples(tables, messages.picks))


def write_comparison(run: Run, comparison: Comparison, samples: Sequence[MoveSample]) -> Path:
    """Write the page of a comparison into the home's reports; returns its path. Raises StoreError."""
    path = run.home.reports / f"diff-{comparison.before}-{comparison.after}.html"
    with translated("write the page", str(path)):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.part")
        temporary.write_text(render_comparison(comparison, samples), "utf-8")
        temporary.replace(path)
    return path


def common_level(*builds: BuildTables) -> Level:
    """How far all of the builds have come: a filter alone is compared with verdicts and not with placements."""
    if all(tables.has("placements") for tables in builds):
        return "placements"
    return "verdicts" if all(tables.has("verdicts") for tables in builds) else "messages"


def narrow_parts(tables: BuildTables, level: Level, texts: bool) -> Iterator[Mapping[str, pa.Table]]:
    """The aligned parts of a build, with the columns that states are drawn from."""
    wanted = {"messages": ["message_id", "role", "position", *(["content_hash"] if texts else [])]}
    if tables.has("standing"):
        wanted["standing"] = _NARROW["standing"]
    if level != "messages":
        wanted["verdicts"] = _NARROW["verdicts"]
    if level == "placements":
        wanted["placements"] = _NARROW["placements"]
    scans = [tables.scan(name, columns) for name, columns in wanted.items()]
    for parts in zip(*scans, strict=True):
        yield dict(zip(wanted, parts, strict=True))


def _compare_messages(
    before: Run, after: Run, tables: tuple[BuildTables, BuildTables], level: Level, ids: int
) -> Difference:
    texts = before.record.stages["parse"] != after.record.stages["parse"]
    old, new = (message_states(narrow_parts(side, level, texts)) for side in tables)
    return compare_states(old, new, ids, picks=SAMPLES)


def _compare_examples(tables: tuple[BuildTables, BuildTables], ids: int) -> Difference:
    """As far as both builds have come: examples, then what is unique, then what is in the corpus."""
    columns = {
        "clusters": ["example_id", "keeper_id", "method"],
        "mixture": ["example_id", "split"],
        "left_out": ["example_id", "reason"],
        "contaminated": ["example_id"],
    }
    shared = [name for name in columns if all(side.has(name) for side in tables)]
    frames = []
    for side in tables:
        assembled = side.dataset("assemble")
        if assembled is None or not all(other.has("examples") for other in tables):
            return Difference.nothing()
        found = {name: side.column(name, columns[name]) for name in shared}
        examples = assembled.column("examples", ["example_id", "text_hash"])
        frames.append(example_states(examples, *(found.get(name) for name in columns)))
    return compare_states(frames[0], frames[1], ids)


def _stages(
    before: Run, after: Run, tables: tuple[BuildTables, BuildTables], names: Sequence[str]
) -> list[StageChange]:
    changes = []
    for name in names:
        if name not in before.record.stages and name not in after.record.stages:
            continue
        old, new = _account(before, tables[0], name), _account(after, tables[1], name)
        same = old is not None and new is not None and old.fingerprint == new.fingerprint
        changes.append(StageChange(stage=name, same=same, before=old, after=new))
    return changes


def _account(run: Run, tables: BuildTables, stage: str) -> StageAccount | None:
    """A stage's ledger as its manifest has it, or None where it does not stand."""
    mark = run.record.stages.get(stage)
    dataset = tables.dataset(stage)
    if mark is None:
        return None
    if dataset is None:
        return StageAccount(fingerprint=mark) if find_artifact(run.store, stage, mark) else None
    rows_in = None
    if stage in ROWS_IN:
        source = tables.dataset(ROWS_IN[stage][0])
        rows_in = source.manifest.summary.get(ROWS_IN[stage][1], 0) if source else None
    ledger = draw_ledger(stage, dataset.manifest.summary, rows_in)
    return StageAccount(
        fingerprint=mark,
        unit=ledger.unit,
        rows_in=ledger.rows_in,
        rows_out=ledger.rows_out,
        set_aside=ledger.set_aside,
    )


def _samples(tables: tuple[BuildTables, BuildTables], picks: Sequence[Pick]) -> Iterator[MoveSample]:
    """The texts of the picked rows, from the later build where they are in it."""
    for pick in picks:
        late = pick.row_after is not None
        row = pick.row_after if pick.row_after is not None else pick.row_before
        assert row is not None
        evidence = _evidence(tables[1], pick.row_after) or _evidence(tables[0], pick.row_before)
        yield _sample(tables[late], row, pick, evidence)


def _evidence(tables: BuildTables, row: int | None) -> list[dict[str, Any]]:
    if row is None or not tables.has("verdicts"):
        return []
    found: list[dict[str, Any]] = tables.take("verdicts", [row], ["evidence"])["evidence"][0].as_py()
    return found


def _sample(tables: BuildTables, row: int, pick: Pick, evidence: list[dict[str, Any]]) -> MoveSample:
    message = tables.take("messages", [row], ["message_id", "role", "content"])
    content = content_at(message["content"].combine_chunks(), 0)
    span = next((item for item in evidence if item["end"] > item["start"]), None)
    start, end = (span["start"], span["end"]) if span else (0, 0)
    shown = cut_sample(message["message_id"][0].as_py(), message["role"][0].as_py(), content, start, end)
    opening = " ".join(content[:OPENING].split())
    return MoveSample(
        message_id=shown.message_id,
        role=shown.role,
        before=pick.before,
        after=pick.after,
        evidence=", ".join(evidence_name(item["rule"], item["score"]) for item in evidence),
        text_before=shown.before if span else "",
        text_hit=shown.hit if span else "",
        text_after=shown.after if span else opening,
        cut_before=shown.cut_before if span else False,
        cut_after=shown.cut_after if span else len(content) > OPENING,
    )
