"""Splits: clusters and conversations stay together, added data moves only what it bridges, frozen ids keep theirs."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import SettingsError, StageFailed
from schemas.settings import MixSettings
from schemas.tables import SPLITS
from tasks.mixing.candidates import read_candidates
from tasks.mixing.frozen import read_frozen
from tasks.mixing.splits import straddling, tie_groups
from tests.schemas.rows import an_id
from tests.tasks.mixing.made import Chosen, datasets, example, mix, pool, table_of, tally_of

HELD = MixSettings(validation=0.2, test=0.2)
ROWS = pool({("claude", None): 120})


def twins(cluster: str, *rows: dict[str, Any]) -> list[dict[str, Any]]:
    """A cluster with the first row as its keeper."""
    keeper = rows[0]["example_id"]
    return [{"example_id": r["example_id"], "cluster_id": an_id(cluster), "keeper_id": keeper} for r in rows]


def test_new_examples_move_no_other() -> None:
    before = Chosen(ROWS, HELD).split
    after = Chosen([*pool({("chatgpt", None): 90}), *ROWS], HELD).split
    assert {name: after[name] for name in before} == before
    assert set(before.values()) == set(SPLITS)


def test_a_cluster_stands_where_its_smallest_conversation_would_stand() -> None:
    alone = Chosen(ROWS, HELD).split
    for number in range(0, 60, 3):
        members = ROWS[number : number + 3]
        found = Chosen(ROWS, HELD, twins=twins("k", *members)).split
        smallest = min(members, key=lambda row: str(row["conversation_id"]))
        assert {found[row["example_id"]] for row in members} == {alone[smallest["example_id"]]}
        others = {row["example_id"] for row in ROWS} - {row["example_id"] for row in members}
        assert {name: found[name] for name in others} == {name: alone[name] for name in others}


def test_a_conversation_ties_the_clusters_that_its_examples_stand_in() -> None:
    """a~b and c~d are clusters, b and c of one conversation, and so is e, which has no twin."""
    a, b, c, d, e = (example(n) for n in range(900, 905))
    c["conversation_id"] = e["conversation_id"] = b["conversation_id"]
    found = Chosen([*ROWS, a, b, c, d, e], HELD, twins=[*twins("1", a, b), *twins("2", c, d)]).split
    assert len({found[row["example_id"]] for row in (a, b, c, d, e)}) == 1


@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 119), min_size=2, max_size=5, unique=True), max_size=12),
    st.integers(0, 5),
)
def test_no_group_straddles_and_no_group_that_is_untouched_moves(
    clusters: list[list[int]], seed: int
) -> None:
    wanted = MixSettings(validation=0.2, test=0.2, seed=seed)
    table = [row for n, members in enumerate(clusters) for row in twins(str(n), *(ROWS[m] for m in members))]
    found, alone = Chosen(ROWS, wanted, twins=table).split, Chosen(ROWS, wanted).split
    for members in clusters:
        assert len({found[ROWS[m]["example_id"]] for m in members}) == 1
    touched = {ROWS[m]["example_id"] for members in clusters for m in members}
    assert all(found[name] == alone[name] for name in alone if name not in touched)


def test_a_group_in_two_splits_is_counted() -> None:
    made = datasets(ROWS[:4], twins=twins("k", ROWS[0], ROWS[1]))
    candidates = read_candidates(made)
    groups = tie_groups(candidates, made["clusters"])
    everything = np.ones(4, bool)
    assert straddling(candidates, groups, np.array([0, 0, 1, 2]), everything) == 0
    assert straddling(candidates, groups, np.array([0, 2, 1, 2]), everything) == 1
    assert straddling(candidates, groups, np.array([0, 2, 1, 2]), np.array([True, False, True, True])) == 0


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_tiny_corpora_keep_something_to_train_on(size: int, seed: int) -> None:
    found = Chosen(ROWS[:size], MixSettings(seed=seed, validation=0.49, test=0.49))
    assert len(found.copies) == size
    assert "train" in found.split.values()


def test_splits_have_about_the_size_asked_for_and_a_larger_one_only_adds() -> None:
    rows = pool({("claude", None): 2_000})
    small = Chosen(rows, MixSettings(validation=0.05, test=0.1)).split
    large = Chosen(rows, MixSettings(validation=0.2, test=0.1)).split
    held = {name for name, split in small.items() if split == "validation"}
    assert 60 < len(held) < 140
    assert held <= {name for name, split in large.items() if split == "validation"}
    assert {n for n, s in small.items() if s == "test"} == {n for n, s in large.items() if s == "test"}


def test_hold_out_by_time_takes_the_whole_cluster_along() -> None:
    moments = [datetime(2026, 1, day, 23, 59, tzinfo=UTC) for day in range(1, 11)]
    rows = [example(n, created_at=moment) for n, moment in enumerate(moments)] + [example(10)]
    wanted = MixSettings(validation=0, test=0, holdout_after=date(2026, 1, 9))
    found = Chosen(rows, wanted, twins=twins("k", rows[0], rows[9])).split
    held = [row["example_id"] for row in (rows[0], rows[8], rows[9])]
    assert [name for name, split in found.items() if split == "test"] == held
    assert found[rows[10]["example_id"]] == "train", "an example without a time is held out by nothing"


def test_a_hold_out_by_time_that_can_say_nothing_is_refused_or_told() -> None:
    rows = [example(n) for n in range(4)]
    with pytest.raises(
        StageFailed, match=r"mix\.holdout_after=2026-01-09 .* no example of this build has one"
    ):
        Chosen(rows, MixSettings(holdout_after=date(2026, 1, 9)))
    rows[0]["created_at"] = datetime(2026, 1, 9, tzinfo=UTC)
    assert Chosen(rows, MixSettings(holdout_after=date(2026, 1, 9))).splits.remarks == (
        "3 of 4 examples have no time, and mix.holdout_after cannot hold them out",
    )
    late = Chosen(rows[:1], MixSettings(holdout_after=date(2026, 1, 10)))
    assert late.splits.remarks == ("no example is of mix.holdout_after or later: none is held out by time",)
    assert Chosen([], MixSettings(holdout_after=date(2026, 1, 9))).splits.remarks == ()


def test_what_a_split_could_not_do_is_told_beside_the_total() -> None:
    rows = [example(n, created_at=datetime(2026, 1, n, tzinfo=UTC)) for n in range(1, 9)] + [example(9)]
    parts = mix(
        rows,
        MixSettings(holdout_after=date(2026, 1, 8), on_shortage="relax", total=50),
        frozen={an_id(1): "test"},
    )
    total = table_of(parts, "targets").to_pylist()[-1]
    assert total["remark"].split("; ") == [
        "the total of 50 was given up: 9 can be had",
        "1 of 9 examples have no time, and mix.holdout_after cannot hold them out",
        "1 of 1 frozen ids are of no example of this build",
    ]


def test_hold_out_by_source() -> None:
    rows = pool({("claude", None): 30, ("journal", None): 9})
    wanted = MixSettings(validation=0, test=0, holdout_sources=("journ*",))
    found = Chosen(rows, wanted)
    assert found.count("source", "test") == {"journal": 9}
    with pytest.raises(
        StageFailed, match=r"holdout_sources asks for the source 'jurnal'.*Did you mean 'journal'"
    ):
        Chosen(rows, MixSettings(holdout_sources=("jurnal",)))


def test_frozen_ids_keep_their_split_and_their_twins_follow() -> None:
    by_example, by_conversation, twin = ROWS[0], ROWS[1], ROWS[2]
    frozen = {
        by_example["example_id"]: "test",
        by_conversation["conversation_id"]: "validation",
        an_id("x"): "test",
    }
    found = Chosen(ROWS, MixSettings(validation=0, test=0), twins("k", twin, by_example), frozen)
    assert found.split[by_example["example_id"]] == found.split[twin["example_id"]] == "test"
    assert found.split[by_conversation["example_id"]] == "validation"
    assert found.splits.frozen_unknown == 1
    assert list(found.split.values()).count("train") == len(ROWS) - 3


def test_an_example_and_its_conversation_are_frozen_alike_or_refused() -> None:
    row = ROWS[0]
    alike = Chosen(ROWS, HELD, (), {row["example_id"]: "test", row["conversation_id"]: "test"})
    assert (alike.split[row["example_id"]], alike.splits.frozen_unknown) == ("test", 0)
    with pytest.raises(StageFailed) as caught:
        Chosen(ROWS, HELD, (), {row["example_id"]: "test", row["conversation_id"]: "train"})
    for told in (
        f"example {row['example_id']} into test",
        f"conversation {row['conversation_id']} into train",
    ):
        assert told in str(caught.value)


def test_what_bridges_frozen_splits_is_set_aside() -> None:
    train, test, bridge = ROWS[:3]
    frozen = {train["example_id"]: "train", test["example_id"]: "test"}
    found = Chosen(ROWS, HELD, twins("k", bridge, train, test), frozen)
    assert found.reasons[bridge["example_id"]] == "bridges_frozen_splits"
    kept = Chosen(ROWS, HELD, twins("k", train, bridge, test), frozen)
    assert kept.split[train["example_id"]] == "train"
    assert train["example_id"] in kept.copies
    # Two clusters that one conversation ties: both frozen rows are left, and the one that is held out stays.
    other = {**example(500), "conversation_id": train["conversation_id"]}
    both = Chosen(
        [*ROWS, other], HELD, [*twins("k", other, test)], {**frozen, other["example_id"]: "validation"}
    )
    assert both.reasons[train["example_id"]] == "bridges_frozen_splits"
    assert other["example_id"] in both.copies


def test_frozen_files() -> None:
    one, two = an_id(1), an_id(2)
    csv = read_frozen(f"id,split\n{one},train\n{two},test\n{one},train\n".encode())
    lines = "".join(
        f'{{"id": "{i}", "split": "{s}", "note": 1}}\n' for i, s in ((two, "test"), (one, "train"))
    )
    assert csv.to_pylist() == read_frozen(lines.encode()).to_pylist()
    assert csv.num_rows == 2


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("name,split\nx,train\n", r"cannot be read .*It is CSV with the header id,split"),
        ('{"id": "1"}\n', "cannot be read"),
        (
            f"id,split\n{an_id(1)},dev\n",
            rf"the frozen id '{an_id(1)}' \(entry 1\) has a split that is none of",
        ),
        (f"id,split\n{an_id(1)},train\nchat-7,test\n", r"'chat-7' \(entry 2\) is no id of 32 digits"),
        (f"id,split\n{an_id(1)},train\n{an_id(1)},test\n", "has two splits"),
        (f"id,split\n{an_id(1)},\n", "has a split"),
        ('{"id": ' + "[" * 50_000 + "}\n", "cannot be read"),
    ],
)
def test_frozen_files_that_cannot_be_used(text: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint):
        read_frozen(text.encode())


def test_what_is_contaminated_is_no_candidate() -> None:
    from tests.schemas.rows import table

    bad = table("contaminated", {"example_id": ROWS[5]["example_id"], "evaluation": "x", "method": "exact"})
    tally = tally_of(mix(ROWS, HELD, contaminated=bad))
    assert tally["examples:train"] + tally["examples:validation"] + tally["examples:test"] == len(ROWS) - 1
