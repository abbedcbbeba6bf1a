"""What is measured of a NOVA and of what it is compared with. Intervals are 95% bootstrap intervals by conversation."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

#: Where a token stands in its turn (as far as the window shows it), counted from 1: what a detector may know depends on
#: it. None: to the end.
POSITIONS: tuple[tuple[int, int | None], ...] = ((1, 4), (5, 16), (17, 64), (65, None))


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Figure(_Shape):
    """A measurement. `value` is null where there is too little to measure it on, and `reason` says what is missing."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


class ConversationScore(_Shape):
    """What one conversation costs a model: nats of its counted tokens, and the bytes of UTF-8 that these stand for."""

    conversation_id: str
    nats: float
    tokens: int
    bytes: int


class LanguageFigures(_Shape):
    """How well a model foretells text. The marks that end turns are counted: their nats add, and they have no bytes."""

    bits_per_byte: Figure
    perplexity: Figure
    conversations: int
    tokens: int
    bytes: int


class PositionFigures(_Shape):
    """Member detection over the labelled tokens from the `first` to the `last` of their turns (null: to the end)."""

    first: int
    last: int | None
    tokens: int
    macro_auc: Figure
    accuracy: Figure


class MemberFigures(_Shape):
    """One member against the rest: `tokens` and `conversations` are those in which the member speaks."""

    name: str
    tokens: int
    conversations: int
    auc: Figure


class ReliabilityBin(_Shape):
    """Labelled tokens whose strongest alpha lies from `low` to `high`: how sure alpha was, and how often right."""

    low: float
    high: float
    tokens: int
    confidence: float | None
    accuracy: float | None


class DetectionFigures(_Shape):
    """How well alpha says who speaks, at every labelled token. `majority` is the share of the most frequent member: the
    accuracy of always naming that one. `brier` sums over the members (0 to 2)."""

    tokens: int
    conversations: int
    macro_auc: Figure
    accuracy: Figure
    majority: float | None
    ece: Figure
    brier: Figure
    members: tuple[MemberFigures, ...]
    positions: tuple[PositionFigures, ...]
    reliability: tuple[ReliabilityBin, ...]


class Evaluation(_Shape):
    """A model on one split. `detection` is null for a model without a detector. `windows_left_out`: not measured."""

    split: str
    language: LanguageFigures
    detection: DetectionFigures | None
    windows: int
    windows_left_out: int = 0


class ArmRun(_Shape):
    """One training of a comparison: an arm with a seed, and what came of it on the text that nobody was trained on."""

    arm: str
    seed: int
    parameters: int
    steps: int
    best_step: int | None
    validation_loss: float | None
    evaluation: Evaluation
    scores: tuple[ConversationScore, ...]


class ArmSummary(_Shape):
    """An arm over its seeds. Intervals resample conversations and seeds."""

    arm: str
    seeds: tuple[int, ...]
    parameters: int
    steps: tuple[int, ...]
    bits_per_byte: Figure
    perplexity: Figure


class Difference(_Shape):
    """Bits per byte of `arm` less those of `other`, on the same conversations and seeds: below zero `arm` is better.

    `side` is -1 where it surely is, 1 where it surely is worse, 0 where neither can be said.
    """

    arm: str
    other: str
    bits_per_byte: Figure
    side: int
    verdict: str


class Speaker(_Shape):
    """How much of a split a member says."""

    name: str
    conversations: int
    tokens: int
    bytes: int


class NovaComparison(_Shape):
    """Several trainings on one corpus, with one tokenizer, one order of windows, one budget of steps and one test."""

    preset: str
    corpus: str
    split: str
    members: tuple[str, ...]
    conversations: int
    tokens: int
    bytes: int
    speakers: tuple[Speaker, ...]
    budget: int
    runs: tuple[ArmRun, ...]
    arms: tuple[ArmSummary, ...]
    differences: tuple[Difference, ...]
    verdict: str
    notes: tuple[str, ...]
