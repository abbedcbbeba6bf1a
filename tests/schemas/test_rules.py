"""The built-in rule files: every rule compiles in the engine, hits what it is for and misses its neighbours."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from schemas.settings import PatternRules, Rule
from schemas.settings.loading import resolve_rules
from tasks.signals import check_rules
from tasks.signals.patterns import find_hits

FILES = sorted((Path(__file__).resolve().parents[2] / "schemas/rules").rglob("*.yaml"))

#: rule: a sentence that it hits, and one that it must miss.
SENTENCES = {
    "blacklist:not nothing": ("A year of sobriety is NOT NOTHING.", "There is nothing in the drawer."),
    "blacklist:hold space": ("Thanks for holding space today.", "The shelves hold spaceships and cars."),
    "blacklist:unpack that": ("Let us unpack this together.", "I will unpack the boxes tomorrow."),
    "blacklist:circle back": ("She circles back next week.", "Draw a circle, back to front."),
    "blacklist:touch base": ("We should touch base on Monday.", "The ladder must touch a base of stone."),
    "blacklist:synergize": ("The teams synergised at last.", "A synergy of two drugs was measured."),
    "blacklist:leverage": (
        "Teams leverage existing tools.",
        "In physics a lever gives leverage: the longer arm lifts the heavier stone.",
    ),
    "blacklist:think outside the box": (
        "He keeps thinking outside of the box.",
        "The cat sat outside the box.",
    ),
    "blacklist:low-hanging fruit": ("Start with the low hanging fruits.", "Fruit was hanging low that year."),
    "blacklist:move the needle": ("That moves the needle for us.", "Move the needles to the left drawer."),
    "blacklist:paradigm shift": ("It is a Paradigm Shift!", "The paradigm shifted in Kuhn's account."),
    "slop:I appreciate you": ("I really appreciate you asking.", "I appreciate your patience."),
    "slop:I hear you": ("I truly hear you.", "Can I hear your recording?"),
    "slop:that resonates": ("That deeply resonates.", "A string that resonated last night."),
    "slop:I'm here for you": ("I’m always here for you.", "I'm here for the interview."),
    "slop:validate your feelings": ("It helps to validate your feelings.", "Validate your form first."),
    "slop:in this space": ("Many founders in this space agree.", "Put the sofa in this spacecraft."),
}


def builtin(family: str) -> tuple[Rule, ...]:
    return resolve_rules(family, PatternRules())


def test_every_rule_file_belongs_to_a_family_and_compiles() -> None:
    assert [path.stem for path in FILES] == ["blacklist", "slop"]
    for path in FILES:
        rules = builtin(path.stem)
        assert len(rules) == len(yaml.safe_load(path.read_text("utf-8"))), "a pattern is listed twice"
        assert len({rule.name for rule in rules}) == len(rules)
        check_rules({path.stem: rules})


def test_every_builtin_rule_has_its_two_sentences() -> None:
    assert sorted(SENTENCES) == sorted(f"{p.stem}:{rule.name}" for p in FILES for rule in builtin(p.stem))


@pytest.mark.parametrize("name", SENTENCES)
def test_builtin_rule_hits_and_misses(name: str) -> None:
    family, _, own = name.partition(":")
    rule = next(rule for rule in builtin(family) if rule.name == own)
    hit, missed = find_hits(SENTENCES[name], {family: [rule]})
    assert [found["rule"] for found in hit] == [name]
    assert missed == []
