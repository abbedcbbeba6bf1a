"""What moved between two builds: the object that `vatra diff --json` prints, and what its page is drawn from."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel, Field

#: How far both builds have come, and so what is compared: where messages went, the verdicts, or only what was read.
Level = Literal["placements", "verdicts", "messages"]


class Move(BaseModel):
    """Rows that went from one state to another.

    A state is `kept`, `masked:slop`, `dropped:too_short`, `train`, `left_out:exact_duplicate`, ...; null: the row
    is not in that build. Equal states: the row has the same id and standing, and another text.
    """

    before: str | None
    after: str | None
    count: int
    by_role: dict[str, int] = {}
    ids: list[str] = Field([], description="The first few by id, not all.")


class Moves(BaseModel):
    """The ledger of moves: every row of either build is unchanged or in exactly one move."""

    before: int = 0
    after: int = 0
    unchanged: int = 0
    moved: list[Move] = []

    @property
    def unaccounted(self) -> tuple[int, int]:
        """Rows of the earlier and of the later build that no class holds: (0, 0) when the ledger balances."""
        left = self.before - self.unchanged - sum(m.count for m in self.moved if m.before is not None)
        come = self.after - self.unchanged - sum(m.count for m in self.moved if m.after is not None)
        return left, come


class SettingChange(BaseModel):
    """A setting that differs; `key` is dotted."""

    key: str
    before: Any
    after: Any


def setting_text(value: Any) -> str:
    """A setting's value as people write it: plain words, patterns by their names, else JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(v, dict) and "pattern" in v for v in value):
        return ", ".join(str(v.get("name", v["pattern"])) for v in value)
    return "not set" if value is None else json.dumps(value, ensure_ascii=False, default=str)


class InputFile(BaseModel):
    """A file that only one of the builds has read."""

    label: str
    digest: str
    bytes: int
    format: str


class StageAccount(BaseModel):
    """A stage's ledger in one build, from its manifest; an artifact (an adapter) has no rows."""

    fingerprint: str
    unit: str = "rows"
    rows_in: int = 0
    rows_out: int = 0
    set_aside: dict[str, int] = {}


class StageChange(BaseModel):
    """A stage in both builds; null where a build does not have it (or not yet). `same`: one dataset serves both."""

    stage: str
    same: bool
    before: StageAccount | None
    after: StageAccount | None


class Comparison(BaseModel):
    """Two builds side by side; `before` and `after` are their ids."""

    before: str
    after: str
    level: Level
    settings: list[SettingChange] = []
    inputs_added: list[InputFile] = []
    inputs_removed: list[InputFile] = []
    stages: list[StageChange] = []
    messages: Moves = Moves()
    examples: Moves = Moves()
    report: str | None = None


class Trial(BaseModel):
    """What other settings of the filter would do to a build: the object of `vatra stage filter --dry-run --json`.

    `outcomes` counts kept, masked and dropped messages before and after. `messages` are moves between verdicts;
    `assembled` what the assembly would make of them, where messages follow others (a question its dropped answer).
    `refused` are the expectations of the filter that the result would not meet, so that nothing would be published.
    """

    build: str
    settings: list[SettingChange]
    outcomes: dict[str, tuple[int, int]]
    messages: Moves
    assembled: Moves
    refused: list[str]
    seconds: float = Field(0.0, description="Of the trial itself, start-up left out.")


class MoveSample(BaseModel):
    """A message that moved, for the page: text around the evidence (never in the object of `--json`)."""

    message_id: str
    role: str
    before: str | None
    after: str | None
    evidence: str
    text_before: str
    text_hit: str
    text_after: str
    cut_before: bool
    cut_after: bool
