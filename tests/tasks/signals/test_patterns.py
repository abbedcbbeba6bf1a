"""Where rules hit: places in code points, counts, Unicode borders; and which patterns are refused."""

from __future__ import annotations

import pytest

from schemas.errors import SettingsError
from schemas.settings import Rule
from tasks.signals import check_rules
from tasks.signals.patterns import RuleHit, find_hits


def families(*patterns: str, family: str = "slop") -> dict[str, list[Rule]]:
    return {family: [Rule(name=pattern, pattern=pattern) for pattern in patterns]}


def hits(text: str, *patterns: str) -> list[RuleHit]:
    return find_hits([text], families(*patterns))[0]


@pytest.mark.parametrize("before", ["", "ăîșț ", "😀👩‍👩‍👧 ", "日本 😀 Ș ", "a\n"])
def test_spans_count_code_points(before: str) -> None:
    text = f"{before}circle back, please"
    (hit,) = hits(text, r"\bcircle back\b")
    assert text[hit["start"] : hit["end"]] == "circle back"
    assert hit["start"] == len(before)


def test_the_span_of_a_hit_that_is_not_ascii() -> None:
    text = "😀 Mâine, ȘTIU ce e"
    (hit,) = hits(text, "știu ce")
    assert text[hit["start"] : hit["end"]] == "ȘTIU ce"


def test_all_hits_are_counted_and_the_first_is_placed() -> None:
    assert hits("ha Ha hA, ha", "ha") == [{"rule": "slop:ha", "count": 4, "start": 0, "end": 2}]


def test_borders_are_those_of_unicode_words() -> None:
    assert hits("ști", r"\bști\b")
    assert hits("(ști)", r"\bști\b")
    assert not hits("știu", r"\bști\b")
    assert not hits("vești", r"\bști\b")
    assert not hits("școol", r"\bcool\b")


def test_case_is_ignored_for_every_alternative() -> None:
    assert [hit["count"] for hit in hits("ONE two", "one|TWO")] == [2]
    assert hits("ȘI", "și")


def test_hits_are_named_by_family_in_the_order_of_the_lists() -> None:
    rules = {**families("b", "a", family="blacklist"), **families("a")}
    found = find_hits(["ab", "x", "b"], rules)
    assert [[hit["rule"] for hit in row] for row in found] == [
        ["blacklist:b", "blacklist:a", "slop:a"],
        [],
        ["blacklist:b"],
    ]


def test_no_texts_and_no_rules() -> None:
    assert find_hits([], families("a")) == []
    assert find_hits(["a"], {}) == [[]]


@pytest.mark.parametrize(
    ("pattern", "complaint"),
    [
        ("(?=a)b", "look-around"),
        ("(?!a)b", "look-around"),
        ("(?<=a)b", "look-around"),
        (r"(a)\1", "backreferences"),
        ("(a", "unclosed group"),
        ("a)", "unopened group"),
        ("a)(b", "unopened group"),
        ("[a", "unclosed character class"),
        (r"\w{1000}{1000}{10}", "Compiled regex exceeds size limit"),
        ("a*", "matches the empty text"),
        ("x|", "matches the empty text"),
        ("^", "matches the empty text"),
        (r"\b", "matches the empty text"),
        (r"\B", "matches the empty text"),
        (r"a|\b", "matches the empty text"),
        (r"\b(?:foo)?", "matches the empty text"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused_by_name(pattern: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        check_rules(families("fine", pattern, family="blacklist"))
    assert repr(pattern) in str(caught.value)
    assert caught.value.where == "blacklist rules"


def test_usable_patterns_pass() -> None:
    check_rules(families(r"\bok\b", "^once upon", "(?-i:Vatra)", "a+|b", r"\s{3,}", r"\p{Lu}\.$"))
