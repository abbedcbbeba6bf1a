"""The story of a message or a conversation: the object that `vatra explain --json` prints.

All texts in it are made safe to look at (schemas.visible) before they get here.
"""

from __future__ import annotations

from pydantic import BaseModel, Field


class FileStory(BaseModel):
    """The file that a conversation was read from; path and label are null when the plan no longer names it."""

    digest: str
    label: str | None
    path: str | None
    format: str | None


class StandingStory(BaseModel):
    """Whether this is the copy that counts; else the file that holds the newer one."""

    current: bool
    superseded_by: str | None = None
    superseded_by_label: str | None = None


class HitStory(BaseModel):
    """A rule of a pattern family that hit: how often, and where first (code points)."""

    rule: str
    count: int
    start: int
    end: int
    text: str


class SignalStory(BaseModel):
    """What was measured. A toxicity score is null where the message was not scored, and `not_scored` says why."""

    language: str
    language_inherited: bool
    chars: int
    visible_chars: int
    words: int
    repetition: float
    ellipsis_only: bool
    hits: list[HitStory]
    toxicity: dict[str, float | None]
    not_scored: str | None


class EvidenceStory(BaseModel):
    """What a verdict rests on: rule, score where there is one, span in code points, and the text of the span."""

    rule: str
    score: float | None
    start: int
    end: int
    text: str


class VerdictStory(BaseModel):
    """What the filter decided."""

    action: str
    reason: str | None
    evidence: list[EvidenceStory]


class CopyStory(BaseModel):
    """Another example of a cluster: how similar it is to the keeper, and by which method it was found."""

    example_id: str
    similarity: float
    method: str
    source: str | None = None
    opening: str | None = Field(
        None, description="Where its text begins; of the first copies, or with --full of all."
    )


class PlaceStory(BaseModel):
    """One row of the corpus: `order` counts from 0 through the `size` rows of the phase of the split."""

    phase: int
    split: str
    order: int
    size: int


class CorpusStory(BaseModel):
    """An example's way: its twins, and its place in the corpus or why it has none."""

    example_id: str
    cluster_id: str | None = None
    keeper_id: str | None = None
    twins: list[str] = Field([], description="The other examples of the cluster.")
    copies: list[CopyStory] = Field(
        [], description="The same with their similarity to the keeper, the nearest first."
    )
    similarity: float | None = None
    method: str | None = None
    category: str | None = Field(None, description="Null when it is unassigned, or was not labelled yet.")
    label_method: str | None = Field(
        None, description="How it came by its category: declared, structure, classifier, unassigned."
    )
    confidence: float | None = Field(None, description="The classifier's, where it was asked.")
    evaluation: str | None = Field(None, description="The evaluation prompt that it asks: file and number.")
    phase: int | None = Field(None, description="This and the three below: its first place.")
    split: str | None = None
    order: int | None = Field(None, description="Place in the phase of the split, from 0.")
    split_size: int | None = None
    places: list[PlaceStory] = Field(
        [], description="All its rows: phases overlap, and may repeat an example."
    )
    left_out: str | None = Field(None, description="Why it is not in the corpus; null when it is.")


class MessageStory(BaseModel):
    """One message. What its build has not reached is null."""

    message_id: str
    position: int
    role: str
    author: str | None
    model: str | None
    created_at: str | None
    text: str
    text_cut: bool
    signals: SignalStory | None = None
    verdict: VerdictStory | None = None
    placement: str | None = None
    placement_reason: str | None = None


class ConversationStory(BaseModel):
    """One copy of a conversation. `branches`: points at which it forks; only the last seen branch was read."""

    conversation_id: str
    native_id: str | None
    file: FileStory
    provider: str
    source: str
    model: str | None
    title: str | None
    created_at: str | None
    updated_at: str | None
    messages: int
    branches: int
    flags: list[str]
    standing: StandingStory | None
    corpus: CorpusStory | None = Field(None, description="Null where no example was made of it (yet).")


class Story(BaseModel):
    """What `vatra explain` answers: the conversation, and of it one message or all.

    `copies` are the other copies of the same id, from overlapping exports.
    """

    build: str
    kind: str
    id: str
    conversation: ConversationStory
    lines: list[MessageStory]
    copies: list[FileStory] = []
    unreached: list[str] = Field([], description="Stages of the pipeline that this build has not done.")
