"""Which examples are chosen: seeded, stable, true to the contract in every split, and clear about shortages."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.categories import CATEGORIES
from schemas.errors import StageFailed
from schemas.settings import MixSettings, load_build_settings
from schemas.settings.mixing import Share
from tasks.mixing.splits import spread
from tests.tasks.mixing.made import NO_SPLITS, Chosen, example, pool

EMERGENT = load_build_settings("emergent").mix
ADA = load_build_settings("ada").mix


def changed(base: MixSettings, **changes: Any) -> MixSettings:
    return MixSettings.model_validate(base.model_dump() | changes)


def within(shares: dict[str, Share], counts: dict[str | None, int], slack: int = 0) -> bool:
    size = sum(counts.values())
    return all(
        share.low * size - 1 - slack < counts.get(name, 0) < share.high * size + 1 + slack
        for name, share in shares.items()
    )


BALANCED = pool({("a", name): 240 - 20 * n for n, name in enumerate(CATEGORIES)})


def test_same_seed_same_choice_whatever_the_order_of_the_rows() -> None:
    wanted = changed(EMERGENT, total=300)
    first, again = Chosen(BALANCED, wanted), Chosen(BALANCED[::-1], wanted)
    assert (first.copies, first.split, first.reasons) == (again.copies, again.split, again.reasons)
    assert Chosen(BALANCED, changed(wanted, seed=7)).copies != first.copies


def test_ranges_hold_in_every_split_and_in_the_whole() -> None:
    found = Chosen(BALANCED, changed(EMERGENT, validation=0.2, test=0.2))
    for split in ("train", "validation", "test", None):
        counts = found.count("category", split)
        assert sum(counts.values()) > 50
        assert within(EMERGENT.category_shares, counts, slack=0 if split else 2)


def test_a_source_that_is_added_changes_only_what_it_must() -> None:
    """It takes places in its own category; no other category, and no split of anyone, changes."""
    wanted = changed(EMERGENT, total=300)
    before = Chosen(BALANCED, wanted)
    after = Chosen([*BALANCED, *pool({("b", "technical"): 40})], wanted)
    assert {name: after.split[name] for name in before.split} == before.split
    other = {row["example_id"] for row in BALANCED if row["category"] != "technical"}
    kept = set(before.copies) & set(after.copies)
    assert len(set(before.copies) & other) - len(kept & other) <= 3  # each split is rounded anew
    newcomers = set(after.copies) - set(before.copies)
    lost = set(before.copies) - set(after.copies)
    assert {name for name in newcomers if name in before.split} <= other
    assert lost - other
    assert len(newcomers) == len(lost)


@pytest.mark.parametrize("allowed", [1, 3])
def test_a_scarce_category_stops_the_build_and_says_what_it_would_take(allowed: int) -> None:
    rows = pool({("a", name): 200 for name in CATEGORIES if name != "ethical"} | {("a", "ethical"): 4})
    wanted = changed(EMERGENT, total=800, repeat=allowed, **NO_SPLITS)
    with pytest.raises(StageFailed) as caught:
        Chosen(rows, wanted)
    missing = 20 - 4 * allowed
    assert f"2.5-4.1% of ethical in 800 examples cannot be met: 4 are there, {missing} are missing" in str(
        caught.value
    )
    assert "mix.repeat=5" in str(caught.value)
    assert "mix.on_shortage=relax" in str(caught.value)


def test_repeating_is_for_training_only_and_no_oftener_than_allowed() -> None:
    rows = pool({("a", name): 200 for name in CATEGORIES if name != "ethical"} | {("a", "ethical"): 40})
    found = Chosen(rows, changed(EMERGENT, total=1_000, repeat=3))
    ethical = [n for n in found.copies if n in {r["example_id"] for r in rows if r["category"] == "ethical"}]
    assert max(found.copies.values()) <= 3
    assert all(copies == 1 or found.split[name] == "train" for name, copies in found.copies.items())
    assert within(EMERGENT.category_shares, found.count("category", "train"))
    assert sum(found.copies.values()) == 1_000
    assert len(ethical) <= 40


def test_relaxing_gives_up_a_lower_bound_then_the_total_and_never_an_upper_bound() -> None:
    rows = pool({("a", name): 200 for name in CATEGORIES if name != "ethical"} | {("a", "ethical"): 4})
    found = Chosen(rows, changed(EMERGENT, total=800, on_shortage="relax", **NO_SPLITS))
    counts = found.count("category")
    assert (sum(counts.values()), counts["ethical"]) == (800, 4)
    assert found.contract.remarks == {
        "ethical": "16 examples are missing for a total of 800: its lower bound was given up"
    }
    small = Chosen(rows, changed(EMERGENT, total=5_000, on_shortage="relax", **NO_SPLITS))
    assert "the total of 5,000 was given up" in small.contract.remarks["total"]
    counts = small.count("category")
    assert all(
        n <= EMERGENT.category_shares[str(c)].high * sum(counts.values()) + 1 for c, n in counts.items()
    )


def test_a_category_of_which_there_is_nothing() -> None:
    rows = pool({("a", name): 100 for name in CATEGORIES if name != "technical"})
    with pytest.raises(
        StageFailed, match=r"20\.7-24\.8% of technical was asked for, and no example of it is left"
    ):
        Chosen(rows, changed(EMERGENT, **NO_SPLITS))
    found = Chosen(rows, changed(EMERGENT, on_shortage="relax", **NO_SPLITS))
    assert "weighted anew" in found.contract.remarks["technical"]
    assert sum(share.middle for share in found.contract.shares.values()) == 1
    assert within(dict(found.contract.shares), found.count("category"))


def test_what_limits_a_mixture_without_a_total_is_told() -> None:
    rows = pool({("a", name): 100 for name in CATEGORIES})
    found = Chosen(rows, changed(EMERGENT, **NO_SPLITS))
    assert found.contract.remarks == {"technical": "limits the mixture to some 484 of 1,000 examples"}
    assert sum(found.copies.values()) == 484


def test_examples_without_a_category_or_of_one_without_a_range_have_their_reasons() -> None:
    rows = pool({("a", "tool"): 4, ("a", "factual"): 4, ("a", None): 3, ("a", "ethical"): 2})
    found = Chosen(rows, MixSettings(ranges={"tool": (40, 60), "factual": (40, 60)}, **NO_SPLITS))
    reasons = sorted(found.reasons.values())
    assert reasons == ["category_without_range"] * 2 + ["uncategorised"] * 3
    assert len(Chosen(rows, MixSettings()).copies) == len(rows), "without ranges, they are taken"


def test_shares_choose_and_count_the_rest_by_reason() -> None:
    rows = pool({("claude", None): 30, ("chatgpt", None): 12, ("journal", None): 5})
    found = Chosen(rows, MixSettings(shares={"claude": 1, "chatgpt": 3}, **NO_SPLITS))
    assert found.count("source") == {"chatgpt": 12, "claude": 4}
    reasons = list(found.reasons.values())
    assert (reasons.count("source_without_share"), reasons.count("over_share")) == (5, 26)


def test_ada_weights_the_sources_that_are_there_anew_and_says_so() -> None:
    rows = pool(
        {
            ("hippocorpus_v2", None): 90,
            ("reddit-stories", None): 90,
            ("chatgpt", None): 30,
            ("claude", None): 30,
        }
    )
    found = Chosen(rows, changed(ADA, **NO_SPLITS))
    counts = found.count("source")
    assert counts["hippocorpus_v2"] == 90
    assert counts["reddit-stories"] == counts["chatgpt"] + counts["claude"] == 45
    assert "weighted anew" in found.contract.remarks["journal*"]
    assert found.contract.remarks["total"] == "the total of 30,000 was given up: 180 can be had"


def test_a_share_of_a_source_that_is_not_there_names_the_nearest() -> None:
    rows = pool({("claude", None): 3, ("chatgpt", None): 2})
    with pytest.raises(
        StageFailed, match=r"source 'chatgtp'.*Did you mean 'chatgpt'\? It has: chatgpt, claude\."
    ):
        Chosen(rows, MixSettings(shares={"claude": 1, "chatgtp": 1}))
    with pytest.raises(StageFailed, match=r"mix\.weights asks for the source 'gemini'"):
        Chosen(rows, MixSettings(weights={"gemini": 1}))


def test_all_the_sources_that_are_not_there_are_named_at_once() -> None:
    told = (
        r"mix\.shares asks for 4 sources of which this build has no example: generated\* or own\* or chatgpt or "
        r"claude or generic; hippocorpus\*; journal\*; reddit\* .*It has: poems\."
    )
    with pytest.raises(StageFailed, match=told):
        Chosen(pool({("poems", None): 3}), ADA)


def test_a_total_beyond_what_is_there() -> None:
    rows = pool({("claude", None): 90})
    with pytest.raises(
        StageFailed, match=r"200 examples were asked for .* 90 are there.*mix.total=90, mix.repeat=3"
    ):
        Chosen(rows, MixSettings(total=200))
    found = Chosen(rows, MixSettings(total=200, on_shortage="relax"))
    assert (len(found.copies), found.contract.remarks) == (
        90,
        {"total": "the total of 200 was given up: 90 can be had"},
    )
    thrice = Chosen(rows, MixSettings(total=200, repeat=3, **NO_SPLITS))
    assert sum(thrice.copies.values()) == 200
    assert set(thrice.copies.values()) == {2, 3}


def test_where_there_is_nothing_no_impossible_setting_is_advised() -> None:
    with pytest.raises(StageFailed) as caught:
        Chosen([], MixSettings(total=5))
    assert caught.value.fix == "Add examples."
    with pytest.raises(StageFailed, match="It has: no example at all"):
        Chosen([], MixSettings(shares={"a": 1}))


def test_a_smaller_total_is_part_of_a_larger_one() -> None:
    rows = pool({("claude", None): 42})
    ten, eleven = (Chosen(rows, MixSettings(total=total)) for total in (10, 11))
    assert len(ten.copies) == 10
    assert set(ten.copies) < set(eleven.copies)
    assert list(ten.reasons.values()) == ["over_total"] * 32


def test_weights_share_a_category_among_its_sources() -> None:
    rows = pool({("a", "tool"): 100, ("b", "tool"): 100, ("c", "tool"): 6, ("a", "factual"): 60})
    wanted = MixSettings(
        ranges={"tool": (60, 60), "factual": (40, 40)}, weights={"a": 3}, total=100, **NO_SPLITS
    )
    found = Chosen(rows, wanted)
    counts: dict[tuple[str, str], int] = {}
    for row in rows:
        if row["example_id"] in found.copies:
            counts[row["source"], row["category"]] = counts.get((row["source"], row["category"]), 0) + 1
    # c has 6 of the 12 that its weight would give it: a and b share the rest 3 to 1.
    assert counts == {("a", "tool"): 41, ("b", "tool"): 13, ("c", "tool"): 6, ("a", "factual"): 40}


def test_examples_that_are_too_long_are_set_aside() -> None:
    rows = [example(n, size=4 * size) for n, size in enumerate((10, 500, 600))]
    tokens = np.array([20, 500, 600], np.int32)
    found = Chosen(rows, MixSettings(max_tokens=500, tokenizer="estimate", **NO_SPLITS), tokens=tokens)
    assert list(found.reasons.values()) == ["too_long"]
    assert len(found.copies) == 2


def test_names_of_sources_may_be_patterns() -> None:
    sources = ("chatgpt", "claude", "own_diary", "hippocorpus", "own")
    names = {"chatgpt+claude+own*": 1.0, "own": 1.0, "*": 1.0}
    assert spread(sources, names) == {
        **dict.fromkeys(("chatgpt", "claude", "own_diary"), "chatgpt+claude+own*"),
        "hippocorpus": "*",
        "own": "own",
    }
    assert spread(sources, {"claude": 1.0}) == {"claude": "claude"}
    also = spread(
        ("diary", "journal1", "web"), {"own*": 4.0, "journal*": 1.0, "*": 1.0}, ("diary", "journal1")
    )
    assert also == {"diary": "own*", "journal1": "journal*", "web": "*"}, (
        "own chats, whatever they are called"
    )


SIZES = st.dictionaries(st.sampled_from(CATEGORIES), st.integers(0, 40), min_size=1)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(SIZES, st.integers(1, 3), st.none() | st.integers(1, 120), st.integers(0, 3))
def test_whatever_there_is_the_contract_holds_and_every_candidate_is_accounted_for(
    sizes: dict[str, int], repeat: int, total: int | None, seed: int
) -> None:
    rows = pool({("a", name): size for name, size in sizes.items()} | {("b", "tool"): 3, ("b", None): 2})
    wanted = changed(
        EMERGENT, repeat=repeat, total=total, on_shortage="relax", seed=seed, validation=0.1, test=0.1
    )
    found = Chosen(rows, wanted)
    assert set(found.copies) | set(found.reasons) == {row["example_id"] for row in rows}
    assert not set(found.copies) & set(found.reasons)
    assert max(found.copies.values(), default=0) <= repeat
    assert total is None or sum(found.copies.values()) <= total
    for split in ("train", "validation", "test"):
        assert within(dict(found.contract.shares), found.count("category", split))
