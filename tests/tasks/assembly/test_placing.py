"""Placing without texts says what the assembly says with them."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.settings import AssembleSettings
from tasks.assembly import assemble_part, place_part
from tests.schemas.rows import conversation_tables, table

ROLE = st.sampled_from(["user", "assistant", "system", "tool"])
VERDICT = st.sampled_from([("keep", None), ("mask", "slop"), ("drop_turn", "too_short")])
CONVERSATION = st.lists(st.tuples(ROLE, VERDICT), min_size=1, max_size=9)


@settings(derandomize=True, deadline=None)
@given(st.lists(CONVERSATION, min_size=1, max_size=4))
def test_it_agrees_with_the_assembly(conversations: list[list[tuple[str, tuple[str, str | None]]]]) -> None:
    tables = conversation_tables(*([(role, f"text of {role}") for role, _ in c] for c in conversations))
    verdicts = [verdict for conversation in conversations for _, verdict in conversation]
    ids = tables["messages"]["message_id"].to_pylist()
    decided = table(
        "verdicts",
        *({"message_id": i, "action": a, "reason": r} for i, (a, r) in zip(ids, verdicts, strict=True)),
    )
    signals = table("signals", *({"message_id": i, "language": "en"} for i in ids))
    (part,) = assemble_part({**tables, "verdicts": decided, "signals": signals}, AssembleSettings())
    placed = place_part(tables["messages"].select(["role", "position", "author", "intensity"]), decided)
    assert placed.to_pylist() == part.tables["placements"].select(["placement", "reason"]).to_pylist()


def test_no_message_no_placement() -> None:
    tables = conversation_tables([("user", "a")])
    assert place_part(tables["messages"].slice(0, 0), table("verdicts")).num_rows == 0
