"""What each stage may know: its settings and nothing else, so that its fingerprint moves only when it must."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.settings.evaluations import EvaluationSet
from schemas.settings.model import INTERNAL, Settings
from schemas.settings.rules import PatternRules, QualityRules, Rule, ToxicityRules
from schemas.settings.training import LoraPreset
from schemas.settings.tribal import TribalPreset


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
    """Examples that say the same: of exact copies (case, space and diacritics folded) and near ones, one is kept."""

    exact: bool = Field(True, description="Keep one example of each exact text.")
    near: bool = Field(
        True, description="Keep one example of each group of near copies (a few words of a hundred differ)."
    )
    threshold: float = Field(
        0.6,
        ge=0.3,
        le=1,
        description="Texts are near copies when so much of their word n-grams is common to both (Jaccard similarity; "
        "0.6 of pairs of words is about one word of ten changed).",
    )
    shingle_words: int = Field(
        2, ge=1, le=10, title="Words of an n-gram", description="Texts are compared by runs of so many words."
    )
    fewest_words: int = Field(
        8, ge=1, description="Texts of fewer words are compared exactly only: one word changes what they say."
    )
    permutations: int = Field(
        80,
        ge=8,
        le=1024,
        description="Hashes of a MinHash signature; more find more copies and cost more time.",
    )
    bands: int = Field(
        16,
        ge=1,
        le=256,
        description="Texts whose signatures agree in one of so many bands are compared; it divides the permutations.",
    )
    boilerplate: int = Field(
        10,
        ge=2,
        title="Texts that share boilerplate",
        description="A line that stands in so many different texts (a form, a disclaimer) makes no copies: what two "
        "texts have besides such lines must be alike too. Of system prompts, one that stands in two.",
    )
    priority: tuple[str, ...] = Field(
        (),
        description="Sources whose examples are kept rather than those of others, best first. Then the higher rating "
        "is kept, then the longer text, then the older one.",
    )

    semantic: str | None = Field(
        None,
        title="Embedding model",
        description="A folder with a sentence-transformers model: examples that mean the same in other words are "
        "found too. None: they are not sought.",
    )
    semantic_threshold: float = Field(
        0.95,
        ge=0.5,
        le=1,
        description="Examples mean the same when the cosine of their embeddings is so high.",
    )
    semantic_digest: str | None = Field(
        None,
        description="The digest of the model's weights; filled in when a build is planned.",
        json_schema_extra=INTERNAL,
    )
    evaluations: tuple[str, ...] = Field(
        (),
        description="Files of evaluation prompts (.txt, .jsonl, .json); examples that ask one of them, or nearly, are "
        "set aside.",
    )
    contained: float = Field(
        0.75,
        ge=0.5,
        le=1,
        title="Share of a contained prompt",
        description="An evaluation prompt stands inside a longer turn when so much of its pairs of words stands there "
        "together (1: all of them).",
    )
    prompts: tuple[EvaluationSet, ...] = Field(
        (),
        description="The contents of these files; filled in when a build is planned.",
        json_schema_extra=INTERNAL,
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.permutations % self.bands:
            raise ValueError(
                f"bands must divide permutations ({self.permutations} by {self.bands} leaves a rest)"
            )
        if self.near and not self.exact:
            raise ValueError("near copies cannot be sought while exact ones stay: set near to false too")
        if len(set(self.priority)) < len(self.priority):
            raise ValueError("priority names a source twice")
        rows = self.permutations // self.bands
        found = 1 - (1 - self.threshold**rows) ** self.bands
        if self.near and found < 0.5:
            raise ValueError(
                f"{self.bands} bands of {rows} hashes would find only {found:.0%} of copies at the threshold: "
                "take more bands, fewer permutations or a higher threshold"
            )
        return self


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
    """A training run: the preset's contents, not its name, and which base that is on this machine."""

    preset: LoraPreset
    base: str = Field(description="What the base is: `built`, the hub's commit, or the digest of its folder.")


class TribalSettings(Settings):
    """A NOVA training run: the preset's contents, not its name."""

    preset: TribalPreset
