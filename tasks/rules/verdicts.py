"""The filter stage's pure function: compare signals with thresholds, give every message one verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

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
    """Verdicts for one part, from the aligned messages, signals, conversations and standing."""
    messages, signals = tables["messages"], tables["signals"]
    settled = [
        _settled(superseded_by, flags)
        for superseded_by, flags in zip(
            tables["standing"]["superseded_by"].to_pylist(),
            tables["conversations"]["flags"].to_pylist(),
            strict=True,
        )
    ]
    owners: list[int] = conversation_rows(messages).tolist()
    roles: list[str] = messages["role"].to_pylist()
    verdicts = [
        settled[owner] or judge(role, signal, settings)
        for owner, role, signal in zip(owners, roles, _rows(signals), strict=True)
    ]
    _condemn_conversations(owners, verdicts)
    tally = _tally(roles, verdicts)
    tally["misaligned"] = pc.sum(pc.not_equal(messages["message_id"], signals["message_id"])).as_py() or 0
    rows = [{"message_id": i, **v} for i, v in zip(messages["message_id"].to_pylist(), verdicts, strict=True)]
    yield Part({"verdicts": pa.Table.from_pylist(rows, schema=VERDICTS)}, tally)


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


def _settled(superseded_by: str | None, flags: list[str]) -> dict[str, Any] | None:
    """The verdict on all messages of a conversation that goes whatever they say, or None."""
    if superseded_by is not None:
        reason, rule = SUPERSEDED, f"reconcile:{superseded_by}"
    elif REJECTED_FLAG in flags:
        reason, rule = REJECTED, f"source:{REJECTED_FLAG}"
    else:
        return None
    proof = {"rule": rule, "score": None, "start": 0, "end": 0}
    return {"action": "drop_conversation", "reason": reason, "evidence": [proof]}


def _condemn_conversations(owners: list[int], verdicts: list[dict[str, Any]]) -> None:
    """One `drop_conversation` takes the other messages along; their own evidence stays."""
    condemned = {
        owner: verdict["evidence"]
        for owner, verdict in zip(owners, verdicts, strict=True)
        if verdict["action"] == "drop_conversation"
    }
    for owner, verdict in zip(owners, verdicts, strict=True):
        if owner in condemned and verdict["action"] != "drop_conversation":
            verdict.update(action="drop_conversation", reason=WITH_CONVERSATION)
            verdict["evidence"] = verdict["evidence"] or condemned[owner][:1]


def _tally(roles: list[str], verdicts: list[dict[str, Any]]) -> dict[str, int]:
    tally: Counter[str] = Counter({"kept": 0, "masked": 0, "assistant_kept": 0})
    for role, verdict in zip(roles, verdicts, strict=True):
        action, reason = verdict["action"], verdict["reason"]
        if action == "keep":
            tally["kept"] += 1
            tally["assistant_kept"] += role == "assistant"
            tally["flagged"] += bool(verdict["evidence"])
        elif action == "mask":
            tally["masked"] += 1
            tally[f"masked:{reason}"] += 1
        else:
            tally[f"set_aside:{reason}"] += 1
    return dict(tally)
