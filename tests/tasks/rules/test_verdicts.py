"""The filter stage: which rule speaks of which role, which action wins, and that every message is counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from schemas.ledger import draw_ledger
from schemas.parts import Part
from schemas.settings import BuildSettings
from schemas.settings.loading import load_build_settings
from schemas.tables import VERDICTS
from tasks.rules import judge_part
from tests.schemas.rows import conversation_tables, table

GOOD: dict[str, Any] = {"chars": 40, "visible_chars": 40, "words": 8, "language": "en"}


def hit(rule: str, start: int = 0, end: int = 4) -> dict[str, Any]:
    return {**GOOD, "rule_hits": [{"rule": rule, "count": 1, "start": start, "end": end}]}


BLACKLIST, SLOP = hit("blacklist:circle back"), hit("slop:in this space")
TOXIC = {**GOOD, "toxicity": 0.9}
SHORT = {**GOOD, "chars": 7, "visible_chars": 7, "words": 2}
TRIPPING = {"blacklist": BLACKLIST, "slop": SLOP, "toxicity": TOXIC, "too_short": SHORT}


def judge(
    *conversations: Sequence[tuple[str, dict[str, Any]]],
    overrides: Sequence[str] = (),
    superseded: Sequence[str | None] | None = None,
) -> Part:
    """Verdicts on conversations of (role, signals)."""
    tables = conversation_tables(*[[(role, "x") for role, _ in lines] for lines in conversations])
    ids = tables["messages"]["message_id"].to_pylist()
    signals = [signal for lines in conversations for _, signal in lines]
    newer = superseded or [None] * len(conversations)
    owners = tables["conversations"]["conversation_id"].to_pylist()
    tables["signals"] = table(
        "signals", *({"message_id": i, **signal} for i, signal in zip(ids, signals, strict=True))
    )
    tables["standing"] = table(
        "standing",
        *(
            {"conversation_id": owner, "current": by is None, "superseded_by": by}
            for owner, by in zip(owners, newer, strict=True)
        ),
    )
    settings = load_build_settings(overrides=overrides).for_filter()
    (part,) = judge_part(tables, settings)
    assert part.tables["verdicts"].schema.equals(VERDICTS)
    assert part.tables["verdicts"]["message_id"].to_pylist() == ids
    assert draw_ledger("filter", part.tally, len(ids)).unaccounted == 0
    return part


def verdicts(*conversations: Sequence[tuple[str, dict[str, Any]]], **more: Any) -> list[tuple[str, Any]]:
    rows = judge(*conversations, **more).tables["verdicts"].to_pylist()
    return [(row["action"], row["reason"]) for row in rows]


@pytest.mark.parametrize(
    ("reason", "action"),
    [("blacklist", "mask"), ("slop", "mask"), ("toxicity", "mask"), ("too_short", "drop_turn")],
)
def test_defaults_for_assistant_and_user(reason: str, action: str) -> None:
    part = judge([("assistant", TRIPPING[reason]), ("user", TRIPPING[reason]), ("assistant", GOOD)])
    rows = part.tables["verdicts"].to_pylist()
    assert [(row["action"], row["reason"]) for row in rows] == [
        (action, reason),
        ("keep", None),
        ("keep", None),
    ]
    assert [len(row["evidence"]) for row in rows] == [1, 1, 0]
    assert part.tally["flagged"] == 1
    assert part.tally["assistant_kept"] == 1


@pytest.mark.parametrize("role", ["system", "tool", "tool_call"])
@pytest.mark.parametrize("reason", TRIPPING)
def test_system_and_tool_messages_are_never_judged(role: str, reason: str) -> None:
    drop = [
        f"{family}.assistant=drop_conversation" for family in ("blacklist", "slop", "toxicity", "quality")
    ]
    drop += [item.replace("assistant", "user") for item in drop]
    rows = judge([(role, TRIPPING[reason])], overrides=drop).tables["verdicts"].to_pylist()
    assert [(row["action"], row["reason"], row["evidence"]) for row in rows] == [("keep", None, [])]


@pytest.mark.parametrize("role", ["assistant", "user"])
@pytest.mark.parametrize("action", ["flag", "mask", "drop_turn", "drop_conversation"])
@pytest.mark.parametrize("reason", TRIPPING)
def test_every_action_by_setting(role: str, action: str, reason: str) -> None:
    family = "quality" if reason == "too_short" else reason
    found = verdicts([(role, TRIPPING[reason])], overrides=[f"{family}.{role}={action}"])
    assert found == [("keep", None) if action == "flag" else (action, reason)]


@pytest.mark.parametrize("reason", TRIPPING)
def test_a_disabled_rule_says_nothing(reason: str) -> None:
    family = "quality" if reason == "too_short" else reason
    part = judge([("assistant", TRIPPING[reason])], overrides=[f"{family}.enabled=false"])
    assert part.tables["verdicts"]["evidence"].to_pylist() == [[]]


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.8, 1.0])
def test_a_score_equal_to_the_threshold_trips_the_rule(threshold: float) -> None:
    over, under = {**GOOD, "toxicity": threshold}, {**GOOD, "toxicity": threshold - 1e-4}
    found = verdicts(
        [("assistant", over), ("assistant", under)], overrides=[f"toxicity.threshold={threshold}"]
    )
    assert found == [("mask", "toxicity"), ("keep", None)]


def test_a_null_score_trips_nothing_even_at_threshold_zero() -> None:
    unscored, zero = GOOD, {**GOOD, "toxicity": 0.0}
    found = verdicts([("assistant", unscored), ("assistant", zero)], overrides=["toxicity.threshold=0"])
    assert found == [("keep", None), ("mask", "toxicity")]


def test_any_label_trips_and_the_highest_comes_first() -> None:
    signal = {**GOOD, "toxicity": 0.85, "insult": 0.95, "threat": 0.1}
    (row,) = judge([("assistant", signal)]).tables["verdicts"].to_pylist()
    assert [proof["rule"] for proof in row["evidence"]] == ["toxicity:insult", "toxicity:toxicity"]
    assert row["evidence"][0]["score"] == pytest.approx(0.95)
    assert (row["evidence"][0]["start"], row["evidence"][0]["end"]) == (0, 40)


def test_evidence_says_where_the_pattern_hit() -> None:
    (row,) = judge([("assistant", hit("slop:in this space", 5, 18))]).tables["verdicts"].to_pylist()
    assert row["evidence"] == [{"rule": "slop:in this space", "score": None, "start": 5, "end": 18}]


@pytest.mark.parametrize(
    ("signal", "reason"),
    [
        ({"chars": 2, "visible_chars": 0, "words": 0}, "empty"),
        ({"chars": 3, "visible_chars": 3, "words": 0, "ellipsis_only": True}, "ellipsis_only"),
        ({"chars": 20, "visible_chars": 20, "words": 1}, "single_word"),
        ({"chars": 20, "visible_chars": 20, "words": 0}, "single_word"),
        ({"chars": 9, "visible_chars": 9, "words": 2}, "too_short"),
        ({"chars": 30, "visible_chars": 9, "words": 2}, "too_short"),
        ({"chars": 10, "visible_chars": 10, "words": 2}, None),
    ],
)
def test_quality_reasons(signal: dict[str, Any], reason: str | None) -> None:
    part = judge([("assistant", signal), ("assistant", GOOD)])
    row = part.tables["verdicts"].to_pylist()[0]
    assert (row["action"], row["reason"]) == (("drop_turn", reason) if reason else ("keep", None))
    assert part.tally.get(f"set_aside:{reason}", 0) == (1 if reason else 0)


def test_quality_settings() -> None:
    word = {"chars": 20, "visible_chars": 20, "words": 1}
    assert verdicts([("assistant", word)], overrides=["quality.single_word=false"]) == [("keep", None)]
    assert verdicts([("assistant", GOOD)], overrides=["quality.min_chars=41"]) == [("drop_turn", "too_short")]
    assert verdicts([("assistant", SHORT)], overrides=["quality.min_chars=7"]) == [("keep", None)]


def test_the_severest_action_wins_and_the_first_rule_among_equals() -> None:
    both = {**TOXIC, **SHORT, "rule_hits": [*SLOP["rule_hits"], *BLACKLIST["rule_hits"]]}
    assert verdicts([("assistant", both)]) == [("drop_turn", "too_short")]
    assert verdicts([("assistant", both)], overrides=["quality.assistant=mask"]) == [("mask", "slop")]
    order = ["slop.assistant=flag", "blacklist.assistant=drop_conversation"]
    part = judge([("assistant", both)], overrides=order)
    (row,) = part.tables["verdicts"].to_pylist()
    assert (row["action"], row["reason"]) == ("drop_conversation", "blacklist")
    assert [proof["rule"] for proof in row["evidence"]] == [
        "slop:in this space",
        "blacklist:circle back",
        "toxicity:toxicity",
        "quality:too_short",
    ]


def test_drop_conversation_takes_the_others_along_and_no_neighbours() -> None:
    first = [("user", GOOD), ("assistant", TOXIC), ("user", SLOP), ("system", GOOD)]
    part = judge(
        first, [("user", GOOD), ("assistant", GOOD)], overrides=["toxicity.assistant=drop_conversation"]
    )
    rows = part.tables["verdicts"].to_pylist()
    assert [row["reason"] for row in rows] == [
        "conversation_dropped",
        "toxicity",
        "conversation_dropped",
        "conversation_dropped",
        None,
        None,
    ]
    assert [row["action"] for row in rows] == ["drop_conversation"] * 4 + ["keep"] * 2
    assert rows[0]["evidence"] == rows[1]["evidence"]
    assert [proof["rule"] for proof in rows[2]["evidence"]] == ["slop:in this space"]
    assert part.tally["set_aside:conversation_dropped"] == 3
    assert part.tally["set_aside:toxicity"] == 1


def test_superseded_copies_go_whatever_the_rules_say() -> None:
    part = judge([("user", GOOD), ("assistant", TOXIC)], [("assistant", GOOD)], superseded=["f00d", None])
    rows = part.tables["verdicts"].to_pylist()
    assert [row["reason"] for row in rows] == ["superseded", "superseded", None]
    assert rows[0]["evidence"] == [{"rule": "reconcile:f00d", "score": None, "start": 0, "end": 0}]
    assert part.tally["set_aside:superseded"] == 2


def test_two_copies_in_one_part_are_told_apart_by_row() -> None:
    """Both copies bear one conversation id; only the newer counts, and a verdict on one spares the other."""
    tables = conversation_tables([("user", "x"), ("assistant", "x")], [("user", "x"), ("assistant", "x")])
    owner = tables["conversations"]["conversation_id"][0].as_py()
    for name in ("conversations", "messages"):
        rows = [{**row, "conversation_id": owner} for row in tables[name].to_pylist()]
        tables[name] = table(name, *rows)
    ids = tables["messages"]["message_id"].to_pylist()
    tables["signals"] = table(
        "signals",
        *({"message_id": i, **s} for i, s in zip(ids, [GOOD, TOXIC, GOOD, GOOD], strict=True)),
    )
    tables["standing"] = table(
        "standing",
        {"conversation_id": owner, "current": False, "superseded_by": "f00d"},
        {"conversation_id": owner, "current": True},
    )
    strict = load_build_settings(overrides=["toxicity.assistant=drop_conversation"]).for_filter()
    (part,) = judge_part(tables, strict)
    assert part.tables["verdicts"]["reason"].to_pylist() == ["superseded", "superseded", None, None]
    standing = table("standing", {"conversation_id": owner}, {"conversation_id": owner})
    (part,) = judge_part({**tables, "standing": standing}, strict)
    assert part.tables["verdicts"]["reason"].to_pylist() == ["conversation_dropped", "toxicity", None, None]


def test_the_tally_counts_masks_by_reason() -> None:
    part = judge([("assistant", SLOP), ("assistant", TOXIC), ("assistant", SLOP), ("user", GOOD)])
    assert part.tally == {
        "kept": 1,
        "masked": 3,
        "masked:slop": 2,
        "masked:toxicity": 1,
        "assistant_kept": 0,
        "flagged": 0,
        "misaligned": 0,
    }


def test_signals_of_other_messages_are_counted_as_misaligned() -> None:
    tables = conversation_tables([("user", "x"), ("assistant", "x")])
    tables["signals"] = table("signals", *({"message_id": i, **GOOD} for i in ("one", "two")))
    tables["standing"] = table("standing", {"conversation_id": "c", "current": True})
    (part,) = judge_part(tables, BuildSettings().for_filter())
    assert part.tally["misaligned"] == 2


def test_a_conversation_that_its_source_rejects_is_not_learned() -> None:
    tables = conversation_tables([("user", "a"), ("assistant", "b")], [("user", "c"), ("assistant", "d")])
    ids = tables["messages"]["message_id"].to_pylist()
    owners = tables["conversations"]["conversation_id"].to_pylist()
    rows = [
        {**row, "flags": flags}
        for row, flags in zip(tables["conversations"].to_pylist(), ([], ["label_false"]), strict=True)
    ]
    tables["conversations"] = table("conversations", *rows)
    tables["signals"] = table("signals", *({"message_id": i, **GOOD} for i in ids))
    tables["standing"] = table("standing", *({"conversation_id": o, "current": True} for o in owners))
    (part,) = judge_part(tables, load_build_settings().for_filter())
    assert part.tables["verdicts"]["reason"].to_pylist() == [None, None, *["rejected_by_source"] * 2]
    assert part.tally["set_aside:rejected_by_source"] == 2
