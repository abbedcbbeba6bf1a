"""Counting what was measured on messages: rule hits, languages, lengths, toxicity scores."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from schemas.tables import TOXICITY_LABELS
from tasks.reports.counting import (
    Tally,
    bin_edges,
    bin_floor,
    by_role,
    flatten_records,
    largest_first,
    tally,
    whole,
)
from tasks.reports.message_parts import MessagePart
from tasks.reports.rule_counts import RuleCounter
from tasks.reports.statistics import (
    LENGTH_EDGES,
    TOXICITY_BINS,
    LabelCount,
    LanguageCount,
    LengthStatistics,
    SignalStatistics,
    ToxicityStatistics,
)


class SignalCounter:
    """Adds up parts of signals. Superseded copies are left out: the newer copy has their text."""

    def __init__(self, threshold: float | None) -> None:
        self.threshold = threshold
        self.rules = RuleCounter()
        self.languages: Tally = Counter()
        self.lengths: Tally = Counter()
        self.chars: Counter[str] = Counter()
        self.longest: dict[str, int] = {}
        self.histogram: Tally = Counter()
        self.labels: dict[str, list[int]] = {label: [0, 0] for label in TOXICITY_LABELS}

    def add(self, part: MessagePart) -> None:
        """Count one part that has signals."""
        if part.signals is None:
            return
        rows = pc.indices_nonzero(part.current)
        signals, role = part.signals.take(rows), whole(part.messages, "role").take(rows)
        self._add_languages(signals, role)
        self._add_lengths(signals, role)
        self._add_toxicity(signals, role)
        hits, fields = flatten_records(whole(signals, "rule_hits"))
        self.rules.add(part, rows.take(hits), fields)

    def _add_languages(self, signals: pa.Table, role: pa.Array) -> None:
        language, inherited = whole(signals, "language"), whole(signals, "language_inherited")
        scored = _finite(whole(signals, "toxicity"))
        self.languages += tally(
            {"language": language, "role": role, "inherited": inherited, "scored": scored}
        )

    def _add_lengths(self, signals: pa.Table, role: pa.Array) -> None:
        chars = whole(signals, "chars").cast(pa.int64())
        self.lengths += tally({"role": role, "bin": bin_edges(chars, LENGTH_EDGES)})
        table = pa.table({"role": role, "chars": chars})
        for row in table.group_by("role").aggregate([("chars", "sum"), ("chars", "max")]).to_pylist():
            self.chars[row["role"]] += row["chars_sum"]
            self.longest[row["role"]] = max(self.longest.get(row["role"], 0), row["chars_max"])

    def _add_toxicity(self, signals: pa.Table, role: pa.Array) -> None:
        for label in TOXICITY_LABELS:
            scores = whole(signals, label)
            finite = _finite(scores)
            self.labels[label][0] += pc.sum(finite).as_py() or 0
            if self.threshold is not None:
                over = pc.greater_equal(scores, pa.scalar(self.threshold, pa.float32()))
                self.labels[label][1] += pc.sum(pc.and_(over, finite)).as_py() or 0
        finite = _finite(whole(signals, "toxicity"))
        scores = whole(signals, "toxicity").filter(finite)
        self.histogram += tally({"role": role.filter(finite), "bin": bin_floor(scores, TOXICITY_BINS)})

    def statistics(self) -> SignalStatistics:
        """The counts so far."""
        scored = sum(n for (*_, has_score), n in self.languages.items() if has_score)
        total = self.languages.total()
        roles = by_role(Counter({role: self._messages(role) for role in self.chars}))
        return SignalStatistics(
            messages=total,
            rules=self.rules.statistics(),
            languages=self._languages(),
            lengths=tuple(
                LengthStatistics(role, self._bins(role), n, self.chars[role], self.longest[role])
                for role, n in roles.items()
            ),
            toxicity=ToxicityStatistics(
                histogram={
                    role: tuple(self.histogram[role, i] for i in range(TOXICITY_BINS))
                    for role in roles
                    if any(self.histogram[role, i] for i in range(TOXICITY_BINS))
                },
                labels=tuple(LabelCount(label, *counts) for label, counts in self.labels.items()),
                scored=scored,
                unscored=total - scored,
            ),
        )

    def _messages(self, role: str) -> int:
        return sum(self._bins(role))

    def _bins(self, role: str) -> tuple[int, ...]:
        return tuple(self.lengths[role, i] for i in range(len(LENGTH_EDGES) + 1))

    def _languages(self) -> tuple[LanguageCount, ...]:
        totals: Counter[str] = Counter()
        roles: dict[str, Counter[str]] = {}
        inherited: Counter[str] = Counter()
        scored: Counter[str] = Counter()
        for (language, role, is_inherited, is_scored), count in self.languages.items():
            totals[language] += count
            roles.setdefault(language, Counter())[role] += count
            inherited[language] += count if is_inherited else 0
            scored[language] += count if is_scored else 0
        return tuple(
            LanguageCount(name, n, by_role(roles[name]), inherited[name], scored[name])
            for name, n in largest_first(totals).items()
        )


def _finite(scores: pa.Array) -> pa.Array:
    """Which rows have a score; a NaN is none."""
    return pc.fill_null(pc.is_finite(scores), False)
