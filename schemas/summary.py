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


class BuildSummary(BaseModel):
    """The one object of `--json`."""

    build: str | None = None
    error: str | None = None
    stages: list[StageSummary] = []
    imports: ImportCounts = ImportCounts()
    messages: MessageCounts = MessageCounts()
    corpus: CorpusCounts = CorpusCounts()
    artifacts: list[str] = []
    handed_over: str | None = Field(
        None, description="The flow run that trains, when the home's worker does it."
    )
    report: str | None = None
    home: str | None = None

    def as_object(self) -> dict[str, Any]:
        """What `--json` prints; `handed_over` only when training was."""
        shown = self.model_dump()
        if self.handed_over is None:
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
