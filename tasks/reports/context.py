"""What a report says of its build beyond the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.summary import BuildSummary, ValidationResult

#: What is known of scorers that see less than they should; shown wherever their scores are.
DEGRADED_SCORERS = {"profanity": "English only; measured recall 33% at 0.8 on Surge"}


@dataclass(frozen=True)
class ReportContext:
    """A build as its caller knows it.

    `settings` is JSON-able. `scorer` names the toxicity scorer, or `none`; `degraded` says what it misses.
    `files` hold at least `label`, and as far as known `format`, `source`, `seen`, `kept`, `empty`, `failed`,
    `duplicate` (conversations), `messages`, `bytes`, `failures` and `warnings`; any other key is shown too.
    `skipped` pairs a label with a reason. `created` is shown as it is. `rules` may name every rule that was
    looked for, so that those without a hit can be listed.
    """

    summary: BuildSummary
    settings: Mapping[str, Any] = field(default_factory=dict)
    validations: Sequence[ValidationResult] = ()
    scorer: str = "none"
    created: str = ""
    files: Sequence[Mapping[str, Any]] = ()
    skipped: Sequence[tuple[str, str]] = ()
    notes: Sequence[str] = ()
    degraded: str | None = None
    rules: Sequence[str] = ()

    @property
    def scorer_note(self) -> str | None:
        """What the scorer misses, or None when nothing is known to be missing."""
        return self.degraded or DEGRADED_SCORERS.get(self.scorer.partition(":")[0])

    @property
    def threshold(self) -> float | None:
        """The toxicity threshold (0 to 1) of the settings, if they hold one and the rule is on."""
        rules = self.settings.get("toxicity")
        if not isinstance(rules, Mapping) or rules.get("enabled") is False:
            return None
        value = rules.get("threshold")
        return float(value) if isinstance(value, (int, float)) else None
