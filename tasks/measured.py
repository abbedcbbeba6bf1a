"""What was measured of messages and decided of them, as stories tell it: signals, and verdicts with evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models.toxicity.names import scorer_languages
from schemas.story import EvidenceStory, HitStory, SignalStory, VerdictStory
from schemas.tables import TOXICITY_LABELS
from schemas.visible import visible
from tasks.accounts import BuildTables

#: Characters shown of a span: a rule about a whole message spans all of it.
SPAN = 120


@dataclass(frozen=True)
class Measures:
    """Rows of signals and verdicts, where the build has them; `scorer` is the one that the score stage used."""

    _signals: Sequence[dict[str, Any]] | None
    _verdicts: Sequence[dict[str, Any]] | None
    scorer: str

    @classmethod
    def read(cls, tables: BuildTables, rows: Sequence[int]) -> Measures:
        """The measures of some rows of the messages."""
        scored = tables.dataset("score")
        return cls(
            tables.take("signals", rows).to_pylist() if scored else None,
            tables.take("verdicts", rows).to_pylist() if tables.has("verdicts") else None,
            str(scored.manifest.settings["scorer"]) if scored else "none",
        )

    def signals(self, at: int, content: str) -> SignalStory | None:
        """The signals of the row number `at`, whose text is `content`."""
        if self._signals is None:
            return None
        row = self._signals[at]
        toxicity = {label: None if row[label] is None else round(row[label], 6) for label in TOXICITY_LABELS}
        plain = ("language", "language_inherited", "chars", "visible_chars", "words", "ellipsis_only")
        return SignalStory(
            **{name: row[name] for name in plain},
            repetition=round(row["repetition"], 4),
            hits=[
                HitStory(**hit, text=span_of(content, hit["start"], hit["end"])) for hit in row["rule_hits"]
            ],
            toxicity=toxicity,
            not_scored=self._not_scored(row["language"]) if set(toxicity.values()) == {None} else None,
        )

    def verdict(self, at: int, content: str) -> VerdictStory | None:
        """The verdict on the row number `at`, whose text is `content`."""
        if self._verdicts is None:
            return None
        row = self._verdicts[at]
        evidence = [
            EvidenceStory(
                rule=item["rule"],
                score=None if item["score"] is None else round(item["score"], 6),
                start=item["start"],
                end=item["end"],
                text=span_of(content, item["start"], item["end"]),
            )
            for item in row["evidence"]
        ]
        return VerdictStory(action=row["action"], reason=row["reason"], evidence=evidence)

    def _not_scored(self, language: str) -> str:
        if self.scorer == "none":
            return "the scorer of this build is none"
        if language not in scorer_languages(self.scorer):
            return f"{self.scorer} does not judge the language {language}"
        return f"{self.scorer} gave no score"


def span_of(content: str, start: int, end: int) -> str:
    """The text of a span (code points), cut, on one line, and safe to look at."""
    return visible(" ".join(content[start:end].split()), SPAN)
