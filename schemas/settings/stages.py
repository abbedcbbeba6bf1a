"""What each stage may know: its settings and nothing else, so that its fingerprint moves only when it must."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

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


class LoraSettings(Settings):
    """A training run: the preset's contents, not its name."""

    preset: LoraPreset
