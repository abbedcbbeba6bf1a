"""The filter stage's pure function: compare signals with thresholds, give every message one verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas.parts import Part, conversation_rows
from schemas.settings import FilterSettings
from schemas.tables import TOXICITY_LABELS, VERDICTS
from tasks.rules.findings import Finding, Signal, find

SUPERSEDED = "superseded"
#: Preference sets hold replies that their makers call bad (`label: false`): nobody should learn them.
REJECTED_FLAG, REJECTED = "label_false", "rejected_by_source"
#: Reason of messages that go only because another message of their conversation condemned it.
WITH_CONVERSATION = "conversation_dropped"

_SEVERITY = {"flag": 0, "mask": 1, "drop_turn": 2, "drop_conversation": 3}


def judge_part(tables: Mapping[str, pa.Table], settings: FilterSettings) -> Iterator[Part]:
    """Verdicts for one part, from the aligned messages, signals, conversations and standing.

    Most messages trip nothing: only those that might are looked at one by one.
    """
    messages, signals = tables["messages"], tables["signals"]
    owners = conversation_rows(messages)
    settled = _settled_conversations(tables)
    suspects = np.flatnonzero(_suspect(signals, settings) | np.isin(owners, list(settled)))
    roles = messages["role"].combine_chunks()
    chosen = pa.array(suspects)
    verdicts = {
        row: settled.get(owner) or judge(role, signal, settings)
        for row, owner, role, signal in zip(
            suspects.tolist(),
            owners[suspects].tolist(),
            roles.take(chosen).to_pylist(),
            _rows(signals.take(chosen)),
            strict=True,
        )
    }
    _condemn_conversations(owners, verdicts)
    tally = _tally(roles, verdicts)
    tally["misaligned"] = pc.sum(pc.not_equal(messages["message_id"], signals["message_id"])).as_py() or 0
    yield Part({"verdicts": _table(messages["message_id"].combine_chunks(), verdicts)}, tally)


def _suspect(signals: pa.Table, settings: FilterSettings) -> np.ndarray:
    """Which messages any rule might speak of, whatever their role; all others are kept without evidence."""
    threshold = pa.scalar(settings.toxicity.threshold, pa.float32())
    signs = [
        pc.greater(pc.list_value_length(signals["rule_hits"]), 0),
        *(pc.greater_equal(signals[label], threshold) for label in TOXICITY_LABELS),
        pc.less(signals["visible_chars"], max(settings.quality.min_chars, 1)),
        pc.less_equal(signals["words"], 1),
        signals["ellipsis_only"],
    ]
    found = np.zeros(signals.num_rows, bool)
    for sign in signs:
        found |= pc.fill_null(sign, False).to_numpy()
    return found


def judge(role: str, signal: Signal, settings: FilterSettings) -> dict[str, Any]:
    """The verdict on one message: the severest action wins, the first rule among equals gives the reason."""
    findings = list(find(role, signal, settings))
    worst = max(findings, key=lambda finding: _SEVERITY[finding.action], default=None)
    condemned = worst is not None and worst.action != "flag"
    return {
        "action": worst.action if worst and condemned else "keep",
        "reason": worst.reason if worst and condemned else None,
        "evidence": [_evidence(finding) for finding in findings],
    }


def _evidence(finding: Finding) -> dict[str, Any]:
    return {"rule": finding.rule, "score": finding.score, "start": finding.start, "end": finding.end}


def _rows(signals: pa.Table) -> Iterator[Signal]:
    """Signals row by row, with the toxicity labels as one list of (label, score), highest first."""
    plain = ("rule_hits", "chars", "visible_chars", "words", "ellipsis_only")
    columns = [signals[name].to_pylist() for name in plain]
    scores = [signals[label].to_pylist() for label in TOXICITY_LABELS]
    for row, values in zip(zip(*columns, strict=True), zip(*scores, strict=True), strict=True):
        labelled = [pair for pair in zip(TOXICITY_LABELS, values, strict=True) if pair[1] is not None]
        labelled.sort(key=lambda pair: -pair[1])
        yield {**dict(zip(plain, row, strict=True)), "toxicity": labelled}


def _settled_conversations(tables: Mapping[str, pa.Table]) -> dict[int, dict[str, Any]]:
    """The verdict on all messages of those conversations that go whatever they say, by row."""
    found = {}
    superseded = tables["standing"]["superseded_by"].combine_chunks()
    flags = tables["conversations"]["flags"].combine_chunks()
    odd = pc.or_(pc.is_valid(superseded), pc.greater(pc.list_value_length(flags), 0))
    for row in pc.indices_nonzero(odd).to_pylist():
        newer = superseded[row].as_py()
        if newer is not None:
            reason, rule = SUPERSEDED, f"reconcile:{newer}"
        elif REJECTED_FLAG in flags[row].as_py():
            reason, rule = REJECTED, f"source:{REJECTED_FLAG}"
        else:
            continue
        proof = {"rule": rule, "score": None, "start": 0, "end": 0}
        found[row] = {"action": "drop_conversation", "reason": reason, "evidence": [proof]}
    return found


def _condemn_conversations(owners: np.ndarray, verdicts: dict[int, dict[str, Any]]) -> None:
    """One `drop_conversation` takes the other messages along; their own evidence stays."""
    condemned = {
        int(owners[row]): verdict["evidence"]
        for row, verdict in verdicts.items()
        if verdict["action"] == "drop_conversation"
    }
    for row in np.flatnonzero(np.isin(owners, list(condemned))).tolist():
        verdict = verdicts.setdefault(row, {"action": "keep", "reason": None, "evidence": []})
        if verdict["action"] != "drop_conversation":
            verdict.update(action="drop_conversation", reason=WITH_CONVERSATION)
            verdict["evidence"] = verdict["evidence"] or condemned[int(owners[row])][:1]


def _table(ids: pa.Array, verdicts: dict[int, dict[str, Any]]) -> pa.Table:
    """A row per message: that of `verdicts`, or kept without evidence."""
    rows = sorted(verdicts)
    given = [verdicts[row] for row in rows]
    changed, sizes = np.zeros(len(ids), bool), np.zeros(len(ids), np.int32)
    changed[rows] = True
    sizes[rows] = [len(verdict["evidence"]) for verdict in given]
    kind = VERDICTS.field("evidence").type
    evidence = pa.array([proof for verdict in given for proof in verdict["evidence"]], kind.value_type)
    mask = pa.array(changed)
    columns = {
        "message_id": ids,
        "action": _replaced(pa.repeat("keep", len(ids)), mask, [verdict["action"] for verdict in given]),
        "reason": _replaced(pa.nulls(len(ids), pa.string()), mask, [verdict["reason"] for verdict in given]),
        "evidence": pa.ListArray.from_arrays(
            pa.array(np.r_[0, np.cumsum(sizes)], pa.int32()), evidence, type=kind
        ),
    }
    return pa.Table.from_arrays([columns[name] for name in VERDICTS.names], schema=VERDICTS)


def _replaced(column: pa.Array, mask: pa.Array, values: list[str | None]) -> pa.Array:
    return pc.replace_with_mask(column, mask, pa.array(values, pa.string()))


def _tally(roles: pa.Array, verdicts: dict[int, dict[str, Any]]) -> dict[str, int]:
    gone = [row for row, verdict in verdicts.items() if verdict["action"] != "keep"]
    replies = pc.equal(roles, "assistant").to_numpy(zero_copy_only=False)
    tally: Counter[str] = Counter({"kept": len(roles) - len(gone), "masked": 0})
    tally["assistant_kept"] = int(replies.sum() - replies[gone].sum())
    for verdict in verdicts.values():
        action, reason = verdict["action"], verdict["reason"]
        if action == "keep":
            tally["flagged"] += bool(verdict["evidence"])
        elif action == "mask":
            tally["masked"] += 1
            tally[f"masked:{reason}"] += 1
        else:
            tally[f"set_aside:{reason}"] += 1
    if tally["kept"]:
        tally.setdefault("flagged", 0)
    return dict(tally)
