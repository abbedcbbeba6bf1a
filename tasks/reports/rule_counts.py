"""Counting rule hits, and cutting three samples of each rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from tasks.reports.counting import Tally, by_role, tally, whole
from tasks.reports.message_parts import MessagePart
from tasks.reports.samples import SAMPLES, content_at, cut_sample
from tasks.reports.statistics import RuleStatistics, Sample

#: Hits of one rule in one part that are looked at for a new sample; equal windows must not cost a corpus.
LOOKED_AT = 200


class RuleCounter:
    """Adds up hits by rule; keeps the first three distinct windows of each, in table order."""

    def __init__(self) -> None:
        self.hits: Tally = Counter()
        self.messages: Tally = Counter()
        self.actions: Tally = Counter()
        self.samples: dict[str, list[Sample]] = {}

    def add(self, part: MessagePart, rows: pa.Array, hits: Mapping[str, pa.Array]) -> None:
        """Count the hits of one part; `rows` are the message rows of the records in `hits`."""
        rule, role = hits["rule"], whole(part.messages, "role").take(rows)
        self.hits += tally({"rule": rule, "role": role, "n": hits["count"]}, weight="n")
        first = pa.table({"rule": rule, "row": rows}).group_by(["rule", "row"]).aggregate([])
        rule_of, row_of = whole(first, "rule"), whole(first, "row")
        self.messages += tally({"rule": rule_of, "role": whole(part.messages, "role").take(row_of)})
        if part.outcome is not None:
            self.actions += tally({"rule": rule_of, "outcome": part.outcome.take(row_of)})
        for name in pc.unique(rule).to_pylist():
            found = self.samples.setdefault(name, [])
            if len(found) < SAMPLES:
                chosen = pc.indices_nonzero(pc.equal(rule, name)).slice(0, LOOKED_AT)
                spans = [column.take(chosen).to_pylist() for column in (rows, hits["start"], hits["end"])]
                self._cut(found, part.messages, list(zip(*spans, strict=True)))

    def _cut(self, found: list[Sample], messages: pa.Table, spans: list[tuple[int, int, int]]) -> None:
        seen = {(s.before, s.hit, s.after) for s in found}
        columns = [whole(messages, name) for name in ("message_id", "role", "content")]
        for row, start, end in spans:
            if len(found) == SAMPLES:
                return
            message_id, role = columns[0][row].as_py(), columns[1][row].as_py()
            sample = cut_sample(message_id, role, content_at(columns[2], row), start, end)
            window = (sample.before, sample.hit, sample.after)
            if window not in seen:
                seen.add(window)
                found.append(sample)

    def statistics(self) -> tuple[RuleStatistics, ...]:
        """Every rule with a hit, by messages, ties by name."""
        rules = [
            RuleStatistics(
                rule=name,
                messages=sum(messages.values()),
                hits=sum(hits.values()),
                messages_by_role=messages,
                hits_by_role=hits,
                actions=_of(self.actions, name),
                samples=tuple(samples),
            )
            for name, samples in self.samples.items()
            for messages, hits in [(by_role(_of(self.messages, name)), by_role(_of(self.hits, name)))]
        ]
        return tuple(sorted(rules, key=lambda rule: (-rule.messages, -rule.hits, rule.rule)))


def _of(counts: Tally, rule: str) -> dict[str, int]:
    return {key: n for (name, key), n in sorted(counts.items()) if name == rule}
