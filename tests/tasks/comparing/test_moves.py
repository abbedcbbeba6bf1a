"""The ledger of moves: every row of either build in exactly one class, whatever the builds look like."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.tables import SCHEMAS
from tasks.comparing import compare_states, message_states
from tasks.comparing.states import FRAME
from tests.schemas.rows import an_id, table

REASONS = st.sampled_from(["slop", "blacklist", "too_short", "superseded"])
VERDICT = st.one_of(
    st.just(("keep", None)),
    st.tuples(st.sampled_from(["mask", "drop_turn", "drop_conversation"]), REASONS),
)
#: A message: its number, verdict, text, and whether it begins a conversation.
MESSAGE = st.tuples(st.integers(0, 12), VERDICT, st.sampled_from("ab"), st.booleans(), st.booleans())
BUILD = st.lists(st.lists(MESSAGE, min_size=1, max_size=8), max_size=3)


def parts(build: list[list[Any]]) -> list[dict[str, pa.Table]]:
    """Aligned parts of generated messages; ids repeat, as copies from overlapping exports do."""
    made = []
    for messages in build:
        starts = [index == 0 or message[3] for index, message in enumerate(messages)]
        positions = []
        for start in starts:
            positions.append(0 if start else positions[-1] + 1)
        made.append(
            {
                "messages": table(
                    "messages",
                    *(
                        {
                            "message_id": an_id(number),
                            "role": ("user", "assistant")[number % 2],
                            "position": position,
                            "content_hash": text,
                        }
                        for (number, _, text, _, _), position in zip(messages, positions, strict=True)
                    ),
                ),
                "verdicts": table(
                    "verdicts",
                    *({"action": action, "reason": reason} for _, (action, reason), *_ in messages),
                ),
                "standing": pa.table(
                    {"current": [m[4] for m, start in zip(messages, starts, strict=True) if start]}
                ),
            }
        )
    return made


def outcome(verdict: tuple[str, str | None]) -> str:
    word = {"keep": "kept", "mask": "masked"}.get(verdict[0], "dropped")
    return word + (f":{verdict[1]}" if verdict[1] else "")


@settings(derandomize=True, deadline=None)
@given(BUILD, BUILD, st.integers(0, 3))
def test_every_message_of_either_build_is_in_exactly_one_class(
    before: list[Any], after: list[Any], ids: int
) -> None:
    found = compare_states(message_states(parts(before)), message_states(parts(after)), ids, picks=2)
    moves = found.moves
    assert moves.unaccounted == (0, 0)
    assert moves.before == sum(map(len, before))
    assert moves.after == sum(map(len, after))
    assert len({(m.before, m.after) for m in moves.moved}) == len(moves.moved), "each class once"
    for move in moves.moved:
        assert move.count == sum(move.by_role.values()) > 0
        assert len(move.ids) <= ids
        assert move.ids == sorted(set(move.ids))
    # Independently of the join: states leave and come exactly as often as either build has them.
    for side, build in (("before", before), ("after", after)):
        has = Counter(outcome(message[1]) for part in build for message in part)
        moved = Counter(dict.fromkeys(has, 0))
        for move in moves.moved:
            if (state := getattr(move, side)) is not None:
                moved[state] += move.count
        assert all(moved[state] <= has[state] for state in moved), side
        assert sum((has - moved).values()) == moves.unchanged


@settings(derandomize=True, deadline=None)
@given(BUILD)
def test_a_build_does_not_differ_from_itself(build: list[Any]) -> None:
    moves = compare_states(message_states(parts(build)), message_states(parts(build)), 3).moves
    assert moves.moved == []
    assert moves.unchanged == moves.before == moves.after


@settings(derandomize=True, deadline=None)
@given(BUILD, BUILD)
def test_back_is_the_mirror_of_forth(before: list[Any], after: list[Any]) -> None:
    old, new = message_states(parts(before)), message_states(parts(after))
    forth = {(m.before, m.after): m.count for m in compare_states(old, new, 0).moves.moved}
    back = {(m.after, m.before): m.count for m in compare_states(new, old, 0).moves.moved}
    assert forth == back


def frame(*rows: tuple[str, str, str]) -> pl.DataFrame:
    """A frame of (id, role, state)."""
    return pl.DataFrame(
        [
            {"row": number, "id": i, "role": role, "state": state, "text": None, "copy": 0}
            for number, (i, role, state) in enumerate(rows)
        ],
        schema=FRAME,
    )


def test_moves_name_states_counts_roles_and_the_smallest_ids() -> None:
    before = frame(*((f"m{n}", "assistant", "kept") for n in range(4)), ("gone", "user", "kept"))
    after = frame(
        *((f"m{n}", "assistant", "masked:slop") for n in (3, 1, 2)),
        ("m0", "assistant", "kept"),
        ("new", "user", "dropped:too_short"),
    )
    found = compare_states(before, after, ids=2, picks=1)
    assert [(m.before, m.after, m.count, m.by_role, m.ids) for m in found.moves.moved] == [
        ("kept", "masked:slop", 3, {"assistant": 3}, ["m1", "m2"]),
        (None, "dropped:too_short", 1, {"user": 1}, ["new"]),
        ("kept", None, 1, {"user": 1}, ["gone"]),
    ]
    assert found.moves.unchanged == 1
    assert [(p.row_before, p.row_after) for p in found.picks] == [(1, 1), (None, 4), (4, None)]


def test_a_newer_export_moves_nothing_but_its_superseded_copies() -> None:
    """The conversation is read again from another file: the new copy takes the place of the old one."""
    old = parts([[(1, ("keep", None), "a", True, True), (2, ("keep", None), "a", False, True)]])
    new = parts(
        [
            [
                (1, ("drop_conversation", "superseded"), "a", True, False),
                (2, ("drop_conversation", "superseded"), "a", False, False),
                (1, ("keep", None), "a", True, True),
                (2, ("keep", None), "a", False, True),
            ]
        ]
    )
    moves = compare_states(message_states(old), message_states(new), 0).moves
    assert moves.unchanged == 2
    assert [(m.before, m.after, m.count) for m in moves.moved] == [(None, "dropped:superseded", 2)]


def test_the_same_standing_with_another_text_is_told() -> None:
    old, new = (parts([[(1, ("keep", None), text, True, True)]]) for text in "ab")
    moves = compare_states(message_states(old), message_states(new), 1).moves
    assert [(m.before, m.after, m.ids) for m in moves.moved] == [("kept", "kept", [an_id(1)])]
    assert moves.unaccounted == (0, 0)


def test_placements_decide_where_both_builds_have_them() -> None:
    (part,) = parts([[(1, ("keep", None), "a", True, True), (3, ("mask", "slop"), "a", False, True)]])
    part["placements"] = pa.table(
        {"placement": ["dropped", "masked"], "reason": ["unanswered", None]},
        schema=pa.schema([SCHEMAS["placements"].field(name) for name in ("placement", "reason")]),
    )
    assert message_states([part])["state"].to_list() == ["dropped:unanswered", "masked:slop"]


def test_nothing_was_decided_yet() -> None:
    (part,) = parts([[(1, ("keep", None), "a", True, True)]])
    del part["verdicts"]
    assert message_states([part])["state"].to_list() == ["present"]
    assert message_states([]).height == 0
