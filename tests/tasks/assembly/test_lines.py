"""The lines of many conversations at once are those of each conversation by itself."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.parts import conversation_rows
from tasks.assembly.lines import PLACEMENTS, lines_of
from tasks.assembly.repair import Turn, assemble

#: role, action, author, intensity
Said = tuple[str, str, str | None, str | None]
MESSAGE = st.tuples(
    st.sampled_from(["user", "assistant", "assistant", "user", "system", "tool"]),
    st.sampled_from(["keep", "keep", "keep", "mask", "drop_turn", "drop_conversation"]),
    st.sampled_from([None, "Sora", "Nova"]),
    st.sampled_from([None, None, "0.9"]),
)
PLAIN = st.integers(1, 2).map(
    lambda pairs: [("user", "keep", None, None), ("assistant", "keep", "Sora", "0.9")] * pairs
)
COLUMNS = {"role": 0, "author": 2, "intensity": 3}
CONVERSATIONS = st.lists(PLAIN | st.lists(MESSAGE, min_size=1, max_size=6), max_size=6)


@settings(deadline=None)
@given(CONVERSATIONS, st.sets(st.integers(0, 5)))
def test_lines_placements_and_repairs_are_those_of_each_conversation(
    conversations: list[list[Said]],
    texts: set[int],
) -> None:
    said = [message for conversation in conversations for message in conversation]
    positions = [place for conversation in conversations for place in range(len(conversation))]
    reasons = [None if action == "keep" else "ruled" for _, action, _, _ in said]
    texts_of = {name: pa.array([m[at] for m in said], pa.string()) for name, at in COLUMNS.items()}
    messages = pa.table({**texts_of, "position": pa.array(positions, pa.int32())})
    verdicts = pa.table(
        {
            "action": pa.array([action for _, action, _, _ in said], pa.string()),
            "reason": pa.array(reasons, pa.string()),
        }
    )
    lines = lines_of(messages, verdicts, conversation_rows(messages), np.array(sorted(texts), np.int64))

    expected, turns, repairs = [], [], {}
    for owner, conversation in enumerate(conversations):
        begun = len(turns)
        own = [
            Turn(
                role,
                "",
                action,
                author,
                intensity,
                reason=None if action == "keep" else "ruled",
                row=begun + place,
            )
            for place, (role, action, author, intensity) in enumerate(conversation)
        ]
        result = assemble(own, owner in texts)
        turns += own
        expected += [(owner, [turn.row for turn in line.turns], line.trainable) for line in result.lines]
        if +result.repairs and result.lines:
            repairs[owner] = result.repairs
    rows = [lines.joined.get(first, [first]) for first in lines.first.tolist()]
    assert list(zip(lines.owner.tolist(), rows, lines.trainable.tolist(), strict=True)) == expected
    assert [PLACEMENTS[number] for number in lines.placements.tolist()] == [turn.placement for turn in turns]
    assert lines.reasons.to_pylist() == [turn.reason for turn in turns]
    assert lines.repairs == repairs
