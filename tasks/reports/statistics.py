"""What a report is drawn from: counts, never rows. None means "the build did not get there", not 0."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

TOXICITY_BINS = 20
#: Upper edges (characters, exclusive) of the length bins; the last bin has none.
LENGTH_EDGES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000)


@dataclass(frozen=True)
class ConversationCounts:
    """seen = kept + empty + failed + duplicate + left out; kept = current + superseded."""

    seen: int = 0
    kept: int = 0
    empty: int = 0
    failed: int = 0
    duplicate: int = 0
    left_out: int = 0
    superseded: int | None = None

    @property
    def current(self) -> int | None:
        """Conversations without a newer copy; None before reconciliation."""
        return None if self.superseded is None else self.kept - self.superseded


@dataclass(frozen=True)
class LeftOut:
    """Records of a declared source that it leaves out, or that lack what it asks for, for one reason."""

    source: str
    reason: str
    records: int


@dataclass(frozen=True)
class ReasonCount:
    """Messages of one outcome (`kept`, `masked`, `dropped`) for one reason, in all and by role."""

    reason: str
    outcome: str
    messages: int
    by_role: Mapping[str, int]


@dataclass(frozen=True)
class MessageLedger:
    """sum(parsed) = kept + masked + dropped, once decided. `trained` is None until examples are assembled."""

    parsed: Mapping[str, int]
    decided: bool = False
    kept: int = 0
    masked: int = 0
    dropped: int = 0
    trained: int | None = None
    flagged: int = 0
    reasons: tuple[ReasonCount, ...] = ()

    @property
    def total(self) -> int:
        """All parsed messages."""
        return sum(self.parsed.values())

    @property
    def balances(self) -> bool:
        """Whether every parsed message is accounted for."""
        return self.total == self.kept + self.masked + self.dropped


@dataclass(frozen=True)
class Sample:
    """A window of some 80 characters around a hit; `cut_before`, `cut_after`: text was left out there."""

    message_id: str
    role: str
    before: str
    hit: str
    after: str
    cut_before: bool
    cut_after: bool


@dataclass(frozen=True)
class RuleStatistics:
    """One rule over all current messages: messages with a hit, hits, and what became of those messages."""

    rule: str
    messages: int
    hits: int
    messages_by_role: Mapping[str, int]
    hits_by_role: Mapping[str, int]
    actions: Mapping[str, int]
    samples: tuple[Sample, ...]

    @property
    def family(self) -> str:
        """What stands before the first colon, say `blacklist`."""
        return self.rule.partition(":")[0] if ":" in self.rule else ""

    @property
    def name(self) -> str:
        """The rule's own name."""
        return self.rule.partition(":")[2] if ":" in self.rule else self.rule


@dataclass(frozen=True)
class LanguageCount:
    """Current messages of one language; scored + unscored = messages."""

    language: str
    messages: int
    by_role: Mapping[str, int]
    inherited: int
    scored: int

    @property
    def unscored(self) -> int:
        """Messages without a toxicity score."""
        return self.messages - self.scored


@dataclass(frozen=True)
class LabelCount:
    """One toxicity label: messages that have its score, and those at or over the threshold."""

    label: str
    scored: int
    above: int


@dataclass(frozen=True)
class ToxicityStatistics:
    """Scores of current messages: 20 equal bins from 0 to 1 by role (label `toxicity`)."""

    histogram: Mapping[str, tuple[int, ...]]
    labels: tuple[LabelCount, ...]
    scored: int
    unscored: int


@dataclass(frozen=True)
class LengthStatistics:
    """Lengths of one role's current messages, in characters (code points), in the bins of LENGTH_EDGES."""

    role: str
    bins: tuple[int, ...]
    messages: int
    chars: int
    longest: int


@dataclass(frozen=True)
class SignalStatistics:
    """What was measured on current messages (superseded copies are left out)."""

    messages: int
    rules: tuple[RuleStatistics, ...]
    languages: tuple[LanguageCount, ...]
    lengths: tuple[LengthStatistics, ...]
    toxicity: ToxicityStatistics


@dataclass(frozen=True)
class SourceCount:
    """One source from messages to corpus. kept, masked and dropped count messages; splits count examples.

    `reasons` say why messages were dropped.
    """

    source: str
    conversations: int
    messages: int
    kept: int
    masked: int
    dropped: int
    examples: int
    splits: Mapping[str, int]
    reasons: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class ExampleCounts:
    """Assembled examples, the messages in them that are learned from, repairs made, and categories."""

    total: int
    trainable: int
    repairs: Mapping[str, int]
    categories: Mapping[str, int]


@dataclass(frozen=True)
class CategoryCount:
    """Examples of one category, in all and by how they came by it."""

    category: str
    examples: int
    methods: Mapping[str, int]


@dataclass(frozen=True)
class LabelCounts:
    """Categories of all assembled examples, duplicates included: sum of categories + unassigned = total."""

    total: int
    methods: Mapping[str, int]
    categories: tuple[CategoryCount, ...]
    unassigned: int


@dataclass(frozen=True)
class ClusterShown:
    """A cluster: how many near copies leave it, and how similar the least similar of them is to the keeper.

    `sources` count its members; `opening` is where the keeper's text begins, for the page alone.
    """

    cluster_id: str
    keeper_id: str
    copies: int
    lowest: float
    sources: Mapping[str, int] = field(default_factory=dict)
    opening: str = ""


@dataclass(frozen=True)
class DuplicateCounts:
    """Clusters of examples with a twin; `removed` leave, one keeper of each cluster stays."""

    clusters: int
    examples: int
    removed: int
    largest: int
    sizes: Mapping[str, int]
    methods: Mapping[str, int]
    similarities: Mapping[str, int] = field(default_factory=dict)
    shown: tuple[ClusterShown, ...] = ()
    contaminated: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Statistics:
    """Everything a report shows that must be counted."""

    files: int
    conversations: ConversationCounts
    messages: MessageLedger
    set_aside: Mapping[str, int]
    signals: SignalStatistics | None
    sources: tuple[SourceCount, ...]
    examples: ExampleCounts | None
    duplicates: DuplicateCounts | None
    corpus: Mapping[str, int] | None
    disagreements: tuple[str, ...] = ()
    labels: LabelCounts | None = None
    left_out: tuple[LeftOut, ...] = ()
