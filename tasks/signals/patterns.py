"""Where the rules of the pattern families hit, with the Rust regex engine (linear time, Unicode word borders).

One pattern at a time: a single large alternation is some twenty times slower in this engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

import polars as pl

from schemas.errors import SettingsError
from schemas.patterns import refusal_of
from schemas.settings import Rule

#: Texts in which a pattern that can match nothing at all does so: empty, or with a word border, or none.
_PROBES = ("", "a", "é", "1", " ", ".", "\n")


class RuleHit(TypedDict):
    """A rule's hits in one message: how many, and the first one's place in code points."""

    rule: str
    count: int
    start: int
    end: int


def check_rules(families: Mapping[str, Iterable[Rule]]) -> None:
    """Refuse a pattern that the engine cannot run, or that hits every text. Raises SettingsError naming it."""
    probes = pl.Series(_PROBES)
    for family, rules in families.items():
        for rule in rules:
            try:
                probes.str.contains(rule.pattern)  # alone too: `a)(b` is whole only between other brackets
                matches_nothing = (probes.str.extract(_insensitive(rule), 0) == "").any()
            except pl.exceptions.ComputeError as error:
                raise SettingsError(
                    f"the pattern {rule.pattern!r} cannot be used: {refusal_of(str(error))}",
                    where=f"{family} rules",
                    fix="Patterns are Rust regular expressions: no look-around, no back-references.",
                ) from None
            if matches_nothing:
                raise SettingsError(
                    f"the pattern {rule.pattern!r} matches the empty text, so it would hit every message",
                    where=f"{family} rules",
                )


def find_hits(texts: Sequence[str], families: Mapping[str, Iterable[Rule]]) -> list[list[RuleHit]]:
    """Per text, the rules that hit it, as `family:name`, in the order of the rule lists."""
    found: list[list[RuleHit]] = [[] for _ in texts]
    column = pl.Series("text", texts, dtype=pl.String)
    for family, rules in families.items():
        for rule in rules:
            pattern = _insensitive(rule)
            rows = column.str.contains(pattern).arg_true()
            if not len(rows):
                continue
            hit = column.gather(rows)
            places = zip(
                rows.to_list(),
                hit.str.find(pattern).to_list(),
                hit.str.extract(pattern, 0).to_list(),
                hit.str.count_matches(pattern).to_list(),
                strict=True,
            )
            for row, offset, matched, count in places:
                start = len(texts[row].encode()[:offset].decode())
                end = start + len(matched)
                found[row].append(RuleHit(rule=f"{family}:{rule.name}", count=count, start=start, end=end))
    return found


def _insensitive(rule: Rule) -> str:
    return f"(?i:{rule.pattern})"
