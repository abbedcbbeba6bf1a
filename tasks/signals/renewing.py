"""Rule hits brought up to date with changed rule lists: only rules that are new are looked for in the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from schemas.settings import Rule
from tasks.signals.patterns import find_hits

Families = Mapping[str, Sequence[Rule]]


def rules_to_find(before: Families, after: Families) -> dict[str, list[Rule]]:
    """The rules of `after` whose hits are not known from `before`, by family.

    Hits are kept by name, so a name counts as known only where it stands for one and the same pattern.
    """
    missing = {}
    for family, rules in after.items():
        known = _by_name(before.get(family, ()))
        named = _by_name(rules)
        missing[family] = [
            rule for rule in rules if named[rule.name] is None or known.get(rule.name) != named[rule.name]
        ]
    return {family: rules for family, rules in missing.items() if rules}


def renew_hits(
    stored: Sequence[list[dict[str, Any]]], texts: Sequence[str] | None, before: Families, after: Families
) -> list[list[dict[str, Any]]]:
    """Per text the hits that the score stage would find with the rules of `after`, in its order.

    `stored` are the hits that it found with those of `before`; `texts` may be None when no rule is new.
    """
    new = rules_to_find(before, after)
    if new and texts is None:
        raise ValueError("new rules need the texts")
    found: Sequence[Sequence[Any]] = (
        find_hits(texts, new) if new and texts is not None else [[]] * len(stored)
    )
    fresh = {f"{family}:{rule.name}" for family, rules in new.items() for rule in rules}
    order = {
        f"{family}:{rule.name}": number
        for number, (family, rule) in enumerate((f, rule) for f, rules in after.items() for rule in rules)
    }
    renewed = []
    for old, more in zip(stored, found, strict=True):
        hits = [hit for hit in old if hit["rule"] in order and hit["rule"] not in fresh]
        hits += [dict(hit) for hit in more]
        renewed.append(sorted(hits, key=lambda hit: order[hit["rule"]]))
    return renewed


def _by_name(rules: Sequence[Rule]) -> dict[str, str | None]:
    """Pattern by name; None where several patterns share the name."""
    times = Counter(rule.name for rule in rules)
    return {rule.name: rule.pattern if times[rule.name] == 1 else None for rule in rules}
