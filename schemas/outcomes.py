"""What became of a message: kept, masked or dropped, and for which reason, drawn from verdicts and placements."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

#: Verdicts' actions and placements, as outcomes.
OUTCOMES = {
    "keep": "kept", "redact": "kept", "mask": "masked", "drop_turn": "dropped",
    "drop_conversation": "dropped", "trained": "kept", "context": "kept", "masked": "masked",
    "dropped": "dropped",
}  # fmt: skip
#: Shown when a message left and no table says why; the ledger's expectations forbid it.
UNEXPLAINED = "unexplained"


class Fates(NamedTuple):
    """Per message its outcome, and the reason (null for a message that is kept without one)."""

    outcome: pa.Array
    reason: pa.Array


def fates(verdicts: pa.Table | None, placements: pa.Table | None) -> Fates | None:
    """The fates of one part's messages: by the assembly, or so far by the filter. None: nothing is decided.

    `verdicts` needs action and reason, `placements` placement and reason; they are aligned.
    """
    if placements is not None:
        outcome, reason = _outcome(_whole(placements, "placement")), _whole(placements, "reason")
        if verdicts is not None:
            left = pc.not_equal(outcome, "kept")
            reason = pc.if_else(left, pc.coalesce(reason, _whole(verdicts, "reason")), reason)
    elif verdicts is not None:
        outcome, reason = _outcome(_whole(verdicts, "action")), _whole(verdicts, "reason")
    else:
        return None
    unexplained = pc.if_else(pc.equal(outcome, "kept"), pa.scalar(None, pa.string()), UNEXPLAINED)
    return Fates(outcome, pc.coalesce(reason, unexplained))


def evidence_name(rule: str, score: float | None) -> str:
    """A rule for people, with its score where it has one: `slop:delve`, `toxicity:insult 0.912`."""
    return rule if score is None else f"{rule} {score:.3f}"


def _outcome(states: pa.Array) -> pa.Array:
    at = pc.index_in(states, value_set=pa.array(list(OUTCOMES)))
    return pc.fill_null(pa.array(list(OUTCOMES.values())).take(at), "dropped")


def _whole(table: pa.Table, column: str) -> pa.Array:
    return table.column(column).combine_chunks()
