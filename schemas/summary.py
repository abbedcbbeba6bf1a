"""What a build says of itself: the object that `--json` prints, and what reports are drawn from."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class PartCounts(BaseModel):
    """How many parts of a stage were computed now, and how many stood already."""

    computed: int = 0
    reused: int = 0


class StageSummary(BaseModel):
    """One stage of a build. rows_in = rows_out + sum(set_aside), in `unit`s."""

    stage: str
    fingerprint: str
    cached: bool = False
    parts: PartCounts = PartCounts()
    unit: str = "rows"
    rows_in: int = 0
    rows_out: int = 0
    set_aside: dict[str, int] = {}
    seconds: float = 0.0


class ImportCounts(BaseModel):
    """Conversations: seen = kept + empty + failed + duplicate (within a file and across files) + left out."""

    seen: int = 0
    kept: int = 0
    empty: int = 0
    failed: int = 0
    duplicate: int = 0
    left_out: int = 0


class MessageCounts(BaseModel):
    """Messages: sum(parsed) = kept + masked + sum(dropped)."""

    parsed: dict[str, int] = {}
    kept: int = 0
    masked: int = 0
    dropped: dict[str, int] = {}


class CorpusCounts(BaseModel):
    """Examples by split."""

    train: int = 0
    validation: int = 0
    test: int = 0


class Target(BaseModel):
    """A part of the mixture's contract: what was asked, what there was, what came of it.

    `asked` are the bounds as they were written, `low` and `high` the same as parts of 1, `share` is what was got: of
    all rows, repeats included. `got` and `available` count distinct examples. The row `total` has no bounds.
    """

    kind: str
    name: str
    asked: tuple[float | None, float | None] = (None, None)
    low: float | None = None
    high: float | None = None
    share: float | None = None
    got: int = 0
    rows: int = 0
    available: int = 0
    remark: str | None = None


class Portion(BaseModel):
    """Distinct examples, rows (an example may stand in several) and tokens (null: not counted), with rows by split."""

    name: str
    phase: int | None = None
    examples: int = 0
    rows: int = 0
    tokens: int | None = None
    splits: dict[str, int] = {}


class MixtureAccount(BaseModel):
    """What the mixture is made of. `sources` and `categories` count every example of the corpus once."""

    targets: list[Target] = []
    phases: list[Portion] = []
    sources: list[Portion] = []
    categories: list[Portion] = []

    @property
    def contract(self) -> list[Target]:
        """The targets that are parts, without the total."""
        return [target for target in self.targets if target.kind != "total"]

    @property
    def repeats(self) -> int:
        """Rows of the whole mixture beyond one for each example (mix.repeat)."""
        return sum(target.rows - target.got for target in self.targets if target.kind == "total")

    @property
    def counted(self) -> bool:
        """Whether tokens were counted."""
        return any(portion.tokens is not None for portion in self.sources)

    @property
    def is_plain(self) -> bool:
        """Whether nothing was asked of the mixture, so that splits say all there is to say."""
        total = all(target.asked[1] is None for target in self.targets)
        return total and not self.contract and len(self.phases) < 2 and not self.counted


class NamedTraining(BaseModel):
    """What was trained from a build's corpus, by name: `own` when by the build itself, else by another run."""

    name: str
    fingerprint: str
    folder: str
    page: str | None = Field(None, description="The page of its run; null when it has been deleted.")
    own: bool = False


class BuildSummary(BaseModel):
    """The one object of `--json`."""

    build: str | None = None
    error: str | None = None
    stages: list[StageSummary] = []
    imports: ImportCounts = ImportCounts()
    messages: MessageCounts = MessageCounts()
    corpus: CorpusCounts = CorpusCounts()
    mixture: MixtureAccount | None = Field(
        None, description="What the mixture is made of, when something was asked of it."
    )
    warnings: list[str] = Field(
        [], description="What a build that ended well could not have, the gravest first."
    )
    artifacts: list[str] = []
    adapters: list[NamedTraining] = Field(
        [], description="Adapters that were trained from the corpus, by name."
    )
    models: list[NamedTraining] = Field([], description="The same of NOVA models.")
    handed_over: list[str] = Field(
        [], description="The flow runs that train, when the home's worker does it."
    )
    report: str | None = None
    home: str | None = None

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints; `handed_over` only when training was, `adapters` and `models` when there are any,
        `mixture` when something was asked of it."""
        shown = self.model_dump()
        for trained in ("adapters", "models"):
            if not shown[trained]:
                del shown[trained]
        if self.mixture is None or self.mixture.is_plain:
            del shown["mixture"]
        if not self.handed_over:
            del shown["handed_over"]
        return shown


class ExpectationResult(BaseModel):
    """One expectation on one table, over all its parts. `unexpected` counts rows; ids, never text, are samples."""

    name: str = Field(description="Readable and unique within its suite.")
    table: str
    success: bool
    checked: int = Field(0, description="Rows looked at.")
    unexpected: int = 0
    sample_ids: list[str] = []
    observed: str | None = Field(None, description="For the one-row summary: the figure that was looked at.")
    error: str | None = Field(None, description="Why the expectation could not be run at all.")


class ValidationResult(BaseModel):
    """All expectations of one stage."""

    stage: str
    success: bool
    results: list[ExpectationResult] = []
