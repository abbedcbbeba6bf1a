"""What the rules find in one message's signals, before anything is decided."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from schemas.settings import FilterSettings


class Finding(NamedTuple):
    """A tripped rule: the reason it would give, what was asked for this role, and the proof.

    `start` and `end` are code points; a rule about the whole message spans all of it.
    """

    reason: str
    action: str
    rule: str
    score: float | None
    start: int
    end: int


Signal = dict[str, Any]


def find(role: str, signal: Signal, settings: FilterSettings) -> Iterator[Finding]:
    """All findings for one message. System and tool messages are context: no rule speaks of them."""
    if role not in ("assistant", "user"):
        return
    yield from _patterns(role, signal, settings)
    yield from _toxicity(role, signal, settings)
    yield from _quality(role, signal, settings)


def _patterns(role: str, signal: Signal, settings: FilterSettings) -> Iterator[Finding]:
    for hit in signal["rule_hits"]:
        family = hit["rule"].partition(":")[0]
        rules = getattr(settings, family)
        if rules.enabled:
            yield Finding(family, getattr(rules, role), hit["rule"], None, hit["start"], hit["end"])


def _toxicity(role: str, signal: Signal, settings: FilterSettings) -> Iterator[Finding]:
    """The highest label decides; a null score trips nothing."""
    rules = settings.toxicity
    if not rules.enabled:
        return
    threshold = float(np.float32(rules.threshold))  # scores are kept as float32: 0.7 must reach 0.7
    for label, score in signal["toxicity"]:
        if score is not None and score >= threshold:
            yield Finding("toxicity", getattr(rules, role), f"toxicity:{label}", score, 0, signal["chars"])


def _quality(role: str, signal: Signal, settings: FilterSettings) -> Iterator[Finding]:
    """At most one finding: the most telling name for a slight message."""
    rules = settings.quality
    chars = signal["visible_chars"]
    if not rules.enabled:
        return
    if chars == 0:
        reason = "empty"
    elif signal["ellipsis_only"]:
        reason = "ellipsis_only"
    elif signal["words"] <= 1 and rules.single_word:
        reason = "single_word"
    elif chars < rules.min_chars:
        reason = "too_short"
    else:
        return
    yield Finding(reason, getattr(rules, role), f"quality:{reason}", None, 0, signal["chars"])
