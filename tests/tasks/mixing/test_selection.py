"""Which examples are chosen, in which split and order: seeded, stable, and true to the shares asked for."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.errors import StageFailed
from schemas.settings import MixSettings
from schemas.tables import SPLITS
from tasks.mixing import choose
from tasks.mixing.selection import quotas, shares_missed


def pool(*sources: tuple[str, int], start: int = 0) -> pd.DataFrame:
    """So many examples of each source, each of a conversation of its own."""
    names = [(source, f"{source}-{n}") for source, size in sources for n in range(start, start + size)]
    return pd.DataFrame(
        {
            "example_id": [f"e-{name}" for _, name in names],
            "conversation_id": [f"c-{name}" for _, name in names],
            "source": pd.Series([source for source, _ in names], dtype="str"),
        }
    )


def mixed(frame: pd.DataFrame, settings: MixSettings) -> pd.DataFrame:
    return choose(frame, settings)[0]


def split_of(chosen: pd.DataFrame) -> dict[str, str]:
    return dict(zip(chosen["example_id"], chosen["split"], strict=True))


def test_same_seed_same_choice_whatever_the_order_of_the_rows() -> None:
    frame = pool(("claude", 60), ("chatgpt", 20))
    first = mixed(frame, MixSettings())
    again = mixed(frame.sample(frac=1, random_state=3), MixSettings())
    pd.testing.assert_frame_equal(first.reset_index(drop=True), again.reset_index(drop=True))


def test_another_seed_gives_another_order_and_other_splits() -> None:
    frame = pool(("claude", 200))
    first, other = mixed(frame, MixSettings(seed=1)), mixed(frame, MixSettings(seed=2))
    assert list(first["example_id"]) != list(other["example_id"])
    assert split_of(first) != split_of(other)
    assert set(first["example_id"]) == set(other["example_id"])


def test_new_examples_move_no_other_between_splits() -> None:
    before = split_of(mixed(pool(("claude", 200)), MixSettings()))
    more = pd.concat([pool(("chatgpt", 150)), pool(("claude", 200))], ignore_index=True)
    after = split_of(mixed(more, MixSettings()))
    assert {example: after[example] for example in before} == before
    assert set(before.values()) == set(SPLITS)


def test_new_examples_keep_the_order_of_the_others() -> None:
    before = list(mixed(pool(("claude", 50)), MixSettings())["example_id"])
    after = list(mixed(pool(("claude", 80)), MixSettings())["example_id"])
    assert [example for example in after if example in before] == before


def test_a_larger_held_out_share_only_adds_to_it() -> None:
    frame = pool(("claude", 400))
    small = split_of(mixed(frame, MixSettings(validation=0.05, test=0.1)))
    large = split_of(mixed(frame, MixSettings(validation=0.2, test=0.1)))
    held = {example for example, split in small.items() if split == "validation"}
    assert held <= {example for example, split in large.items() if split == "validation"}
    assert {e for e, s in small.items() if s == "test"} == {e for e, s in large.items() if s == "test"}


def test_splits_have_about_the_size_asked_for() -> None:
    counts = mixed(pool(("claude", 2_000)), MixSettings(validation=0.1, test=0.2))["split"].value_counts()
    assert 150 < counts["validation"] < 250
    assert 330 < counts["test"] < 470


def test_nothing_is_held_out_when_nothing_is_asked() -> None:
    assert set(mixed(pool(("claude", 300)), MixSettings(validation=0, test=0))["split"]) == {"train"}


def test_a_conversation_stands_in_one_split_only() -> None:
    frame = pool(("claude", 300)).assign(conversation_id=[f"c{n // 3}" for n in range(300)])
    chosen = mixed(frame, MixSettings(validation=0.2, test=0.2))
    assert chosen.groupby("conversation_id")["split"].nunique().max() == 1
    assert set(chosen["split"]) == set(SPLITS)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("seed", range(12))
def test_tiny_corpora_keep_something_to_train_on(size: int, seed: int) -> None:
    chosen = mixed(pool(("claude", size)), MixSettings(seed=seed, validation=0.49, test=0.49))
    assert len(chosen) == size
    assert "train" in set(chosen["split"])


def test_the_order_counts_up_from_0_in_every_split() -> None:
    chosen = mixed(pool(("claude", 100)), MixSettings(validation=0.2, test=0.2))
    for _, rows in chosen.groupby("split"):
        assert list(rows["order"]) == list(range(len(rows)))


def test_the_total_is_respected_and_what_is_left_is_counted() -> None:
    frame = pool(("claude", 30), ("chatgpt", 12))
    chosen, set_aside = choose(frame, MixSettings(total=10))
    assert (len(chosen), set_aside) == (10, {"over_total": 32})
    assert set(chosen["example_id"]) < set(mixed(frame, MixSettings(total=11))["example_id"])
    assert choose(frame, MixSettings(total=99))[1] == {"over_total": 0}


def test_shares_choose_and_count_the_rest_by_reason() -> None:
    frame = pool(("claude", 30), ("chatgpt", 12), ("journal", 5))
    wanted = MixSettings(shares={"claude": 1, "chatgpt": 3})
    chosen, set_aside = choose(frame, wanted)
    assert chosen["source"].value_counts().to_dict() == {"chatgpt": 12, "claude": 4}
    assert set_aside == {"source_without_share": 5, "over_share": 26}
    assert shares_missed(chosen, wanted) == 0
    assert shares_missed(chosen, MixSettings(shares={"claude": 1, "chatgpt": 1})) == 2


def test_a_share_of_a_source_that_is_not_there_names_those_that_are() -> None:
    frame = pool(("claude", 3), ("chatgpt", 2))
    with pytest.raises(StageFailed, match=r"source 'gemini'.*It has: chatgpt \(2\), claude \(3\)\."):
        choose(frame, MixSettings(shares={"claude": 1, "gemini": 1}))


SOURCES = st.dictionaries(
    st.sampled_from("abcde"),
    st.tuples(st.integers(1, 60), st.sampled_from([0.1, 0.3, 0.5, 1.0, 2.0, 7.0, 1 / 3])),
    min_size=1,
)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(SOURCES, st.none() | st.integers(1, 150))
def test_quotas(sources: dict[str, tuple[int, float]], total: int | None) -> None:
    available = {source: size for source, (size, _) in sources.items()}
    shares = {source: share for source, (_, share) in sources.items()}
    weight = sum(shares.values())
    count = quotas(available, shares, total)
    size = sum(count.values())
    assert set(count) == set(shares)
    assert all(0 <= count[source] <= available[source] for source in shares)
    assert all(abs(count[source] - size * share / weight) <= 1 + 1e-6 for source, share in shares.items())
    largest = min(available[source] * weight / share for source, share in shares.items())
    assert size == int(min(largest + 1e-9, total if total is not None else largest + 1e-9))


@settings(max_examples=40, derandomize=True, deadline=None)
@given(SOURCES, st.none() | st.integers(1, 80))
def test_every_candidate_is_chosen_or_counted(
    sources: dict[str, tuple[int, float]], total: int | None
) -> None:
    shares = {source: share for source, (_, share) in sources.items()}
    frame = pool(*[(source, size) for source, (size, _) in sources.items()], ("zzz", 3))
    wanted = MixSettings(shares=shares, total=total)
    chosen, set_aside = choose(frame, wanted)
    assert len(frame) == len(chosen) + sum(set_aside.values())
    assert set_aside["source_without_share"] == 3
    assume(len(chosen))
    assert shares_missed(chosen, wanted) == 0
