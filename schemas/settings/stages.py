"""What each stage may know: its settings and nothing else, so that its fingerprint moves only when it must."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from schemas.settings.model import Settings
from schemas.settings.rules import PatternRules, QualityRules, Rule, ToxicityRules
from schemas.settings.training import LoraPreset


class ParseSettings(Settings):
    """How exports are read."""

    max_attachment_chars: int = Field(
        20_000, ge=0, description="Texts of attachments are cut after so many characters."
    )
    part_bytes: int = Field(
        16 << 20,
        ge=1 << 16,
        description="Bytes of text after which a new part is begun (16777216 is 16 MiB; at least 65536).",
    )


class ReconcileSettings(Settings):
    """Overlapping exports: the newest copy of a conversation counts. Nothing to set yet."""


class ScoreSettings(Settings):
    """Signals: which languages, which patterns, which toxicity scorer (with the digest of its weights)."""

    languages: tuple[str, ...]
    rules: dict[str, tuple[Rule, ...]]
    scorer: str
    scorer_digest: str


class FilterSettings(Settings):
    """Thresholds and actions; every rule that can be tripped."""

    blacklist: PatternRules
    slop: PatternRules
    toxicity: ToxicityRules
    quality: QualityRules


class AssembleSettings(Settings):
    """How messages become a training example."""

    separator: str = Field(
        "\n\n",
        description="What joins messages of one role that follow one another; by default an empty line.",
    )


class DedupSettings(Settings):
    """Exact duplicates, with case, space and diacritics folded."""

    exact: bool = Field(True, description="Keep one example of each exact text.")


class LabelSettings(Settings):
    """The category of each example: declared by its source first, tool calls by structure, then the classifier."""

    classifier: Literal["none", "builtin"] = Field(
        "builtin",
        description="What sorts the examples whose source declares no category. builtin: a small model that comes "
        "with vatra; none: they stay unassigned.",
    )
    confidence: float = Field(
        0.62,
        ge=0,
        le=1,
        description="The classifier's confidence below which an example stays unassigned (0 to 1; higher: fewer "
        "labels, more of them right).",
    )


class LabelStageSettings(LabelSettings):
    """What the label stage may know: its settings, and which weights classify."""

    classifier_digest: str = "none"


class MixSettings(Settings):
    """Which examples, in which split, in which order."""

    shares: dict[str, float] = Field(
        {},
        description='How much of each source, relative to the others, like {"chatgpt": 2, "claude": 1}; '
        "without any, everything is taken.",
        json_schema_extra={"additionalProperties": {"type": "number", "exclusiveMinimum": 0}},
    )
    total: int | None = Field(None, ge=1, description="At most so many examples; None: all.")
    validation: float = Field(
        0.05,
        ge=0,
        lt=0.5,
        description="Share of conversations held out for validation (0.05: 5%; below 0.5).",
    )
    test: float = Field(
        0.05, ge=0, lt=0.5, description="Share of conversations held out for testing (below 0.5)."
    )
    seed: int = Field(42, ge=0, description="The same seed picks the same examples on any machine.")
    shard_bytes: int = Field(
        128 << 20,
        ge=1 << 16,
        description="Bytes of text in a Parquet shard (134217728 is 128 MiB; at least 65536).",
    )

    @field_validator("shares")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        wrong = [name for name, share in value.items() if not share > 0]
        if wrong:
            raise ValueError(f"the share of {wrong[0]!r} must be above 0")
        return dict(sorted(value.items()))


class LoraSettings(Settings):
    """A training run: the preset's contents, not its name."""

    preset: LoraPreset
